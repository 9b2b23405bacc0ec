"""What a session is fed with, and what is said of data that does not fit."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.scoring import running
from tf1pruning.sessions import Session

X, Y = np.ones([2, 3], np.float32), np.ones([2], np.float32)


def built():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], 'image')
        y = tf.placeholder(tf.float32, [None], 'scale')
        tf.multiply(tf.reduce_sum(x, 1), y, name='output')
    return graph


def network():
    return InferenceGraph(
        built().as_graph_def(), ('image', 'scale'), ('output',), variables=()
    )


def test_arrays_are_fed_to_the_placeholders_that_they_are_named_after():
    feeds, size = running.feeds(network(), {'image:0': X, 'scale': Y})
    assert (list(feeds), size) == (['image:0', 'scale:0'], 2)


def test_data_under_other_names_is_told_how_to_name_its_inputs():
    with pytest.raises(DataError, match=r'is it a=image,b=scale\?$'):
        running.feeds(network(), {'a': X, 'b': Y})
    with pytest.raises(
        DataError, match=r"needs the inputs 'scale'.* it has 'image'\.$"
    ):
        running.feeds(network(), {'image': X})


def test_a_placeholder_is_also_meant_by_what_it_replaces():
    pipeline = {'image': 'IteratorGetNext:0', 'scale': 'IteratorGetNext:1'}
    batch = {'IteratorGetNext': X, 'IteratorGetNext:1': Y}

    feeds, _ = running.feeds(network(), batch, pipeline)

    assert list(feeds) == ['image:0', 'scale:0']
    with pytest.raises(DataError, match=r", 'scale' is 'IteratorGetNext:1'"):
        running.feeds(network(), {'image': X}, pipeline)


def test_data_that_does_not_fit_is_one_sentence():
    feeds = {'image:0': X[:, :2], 'scale:0': Y}
    with Session(built()) as session, pytest.raises(DataError) as caught:
        running.run_on(session, 'output:0', feeds, 'The loss', 'batch 3')
    said = str(caught.value)
    assert said.startswith('The loss does not run on batch 3: Cannot feed value')
    assert '\n' not in said
    assert caught.value.options == ('data',)
