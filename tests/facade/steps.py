"""The steps of `Pruning`, run as users run them."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tests.studies import trained
from tests.studies.trained import BLOCK
from tf1pruning import (
    Pruning,
    plan_json,
)
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph.frozen import freeze
from tf1pruning.models import reading

THRESHOLD = 0.6
EXPAND = f'{BLOCK}/expand/conv/kernel'
PROJECT = f'{BLOCK}/project/conv/kernel'


def soft_pruned(pruning, threshold=THRESHOLD):
    pruning.set_threshold(threshold)
    pruning.pruning_process(retrain=False)
    return pruning


def retrained(pruning, folder, steps=1):
    trained.retrain(pruning.pruned_ckpt_path, str(folder), steps)
    pruning.get_retrained_ckpt(str(folder))
    return pruning


def stripped(pruning):
    pruning.get_rebuild_graph()
    pruning.get_strip_params()
    pruning.get_strip_ckpt()
    return pruning


class Finished(NamedTuple):
    pruning: Pruning
    folder: str
    source_before: dict
    source_after: dict


def saved_plan(folder):
    return plan_json.load_plan(
        os.path.join(str(folder), 'Pruning_Dict', 'Pruned_Filters.json')
    )


def zero_filters(prefix, name=EXPAND):
    return np.flatnonzero((Checkpoint(prefix)[name] == 0).all(axis=(0, 1, 2))).tolist()


def soft_pruned_output(prefix, image):
    """What the inference graph of a checkpoint gives, from `Model` and freeze."""
    source = reading.load(prefix, ('output',))
    graph_def = freeze.freeze(source.graph, source.arrays())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name='')
        return session.run('output:0', {'input:0': image})


def assert_close(found, expected):
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
