"""From a soft-pruned checkpoint to a stripped, frozen graph on disk, unverified.

In the same process, in turn, TensorFlow freezes the unpruned network in its own way
(import, restore, convert): the ratio of the two holds also when the machine is slow.
The goal is at most 0.25.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from typing import Any, Callable, Dict, List, Mapping, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from benchmarks import subjects, tf_freeze
from demo.networks.catalogue import NETWORKS
from tf1pruning import phases

COMMAND = 'python -m benchmarks'
GOAL = 0.25
RATIO = 0.25
# TensorFlow folds nothing either.
_UNFOLDED = tp.ExportOptions(fold_batch_norm=False)

Build = Callable[[tf.Tensor], Any]


def _zoo(name: str) -> Build:
    network = NETWORKS[name]
    return lambda images: network.build(images, network.config)


def _resnet(images: tf.Tensor) -> None:
    tf.keras.backend.set_learning_phase(0)
    application, _ = subjects.APPLICATIONS['ResNet50']
    model = application(weights=None, input_tensor=images)
    tf.identity(model.outputs[0].op.inputs[0], name='output')


BUILDS: Tuple[Tuple[str, Build], ...] = (
    ('MobileNetV2 1.0/224', _zoo('mobilenet_v2')),
    ('ResNet-50', _resnet),
    ('EfficientNet-B0', _zoo('efficientnet_b0')),
)


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds, and their ratio, per network."""
    rows = []
    for name, build in BUILDS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append({'network': name, **_measure(build, folder, runs)})
    return {'command': COMMAND, 'runs': runs, 'goal': GOAL, 'rows': rows}


def save_network(build: Build, prefix: str) -> str:
    """Builds a network of images of 224 x 224 with random weights and saves it."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        build(tf.placeholder(tf.float32, [None, 224, 224, 3], 'input'))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix, write_state=False)
    return prefix


def soft_prune(checkpoint: str, prefix: str) -> str:
    """Writes zeros into a quarter of the filters of each group that may be cut."""
    model = tp.load(checkpoint, tf_freeze.OUTPUTS)
    choice = tp.Choice(ratio=RATIO, limits=tp.Limits(4))
    plan = tp.choose(model, choice, criterion='l1', groups='all')
    return tp.soft_prune(model, plan, prefix).path


def _measure(build: Build, folder: str, runs: int) -> Dict[str, Any]:
    checkpoint = save_network(build, os.path.join(folder, 'model.ckpt'))
    pruned = soft_prune(checkpoint, os.path.join(folder, 'pruned', 'model.ckpt'))
    # What the preparations left is not to be looked through on either side.
    gc.collect()
    gc.freeze()
    ours: List[float] = []
    theirs: List[float] = []
    found: Dict[str, float] = {}
    for number in range(runs + 1):
        target = os.path.join(folder, f'out{number}')
        started = time.perf_counter()
        tf_freeze.tf_freeze(checkpoint, f'{target}.pb')
        halfway = time.perf_counter()
        seconds = strip(pruned, target)
        if number:  # The first is a warm-up.
            theirs.append(halfway - started)
            ours.append(time.perf_counter() - halfway)
            found = phases.total(found, seconds)
    medians = float(np.median(ours)), float(np.median(theirs))
    return {
        'strip_seconds': medians[0],
        'tensorflow_seconds': medians[1],
        'ratio': medians[0] / medians[1],
        'phases': {name: value / runs for name, value in found.items()},
    }


def strip(checkpoint: str, folder: str) -> Mapping[str, float]:
    """Strips a checkpoint and writes the frozen graph.

    Returns:
      Seconds by phase.
    """
    small = tp.strip(tp.load(checkpoint, tf_freeze.OUTPUTS), verify=False)
    return tp.save(small, folder, ['pb'], _UNFOLDED).seconds


HEADER = ('network', 'strip and freeze, s', 'TensorFlow freezes, s', 'ratio', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    return [
        [
            row['network'],
            f'{row["strip_seconds"]:.3f}',
            f'{row["tensorflow_seconds"]:.3f}',
            f'{row["ratio"]:.2f}',
            f'{result["goal"]}',
        ]
        for row in result['rows']
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return f'Strip and freeze, median of {result["runs"]} runs'
