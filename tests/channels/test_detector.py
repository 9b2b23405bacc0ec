"""A detector as the Object Detection API writes it: loops before and behind a network.

One loop resizes the images, another suppresses boxes that overlap; what they give has
no known rank. The network between them is pruned.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import cases
from tf1pruning import plan as plan_lib
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.surgery import verify

OUTPUTS = ('boxes', 'scores')


def resized(images):
    def one(image):
        return tf.image.resize_images(image, [16, 16])

    images = tf.map_fn(one, images, infer_shape=False)
    return tf.reshape(images, [-1, 16, 16, 3]) / 255.0


def network(x):
    for i in range(3):
        x = networks.conv(x, 8, 3, name=f'layer_{i}', strides=2, use_bias=False)
        with tf.variable_scope(f'norm_{i}'):
            x = tf.nn.relu(networks.batch_norm(x))
    boxes = tf.reshape(networks.conv(x, 8, name='box'), [-1, 8, 4])
    scores = tf.reshape(networks.conv(x, 4, name='score'), [-1, 8, 2])
    return boxes, tf.sigmoid(scores)


def suppressed(boxes, scores):
    def one(both):
        boxes, scores = both
        kept = tf.image.non_max_suppression(boxes, scores[:, 1], 3)
        missing = 3 - tf.shape(kept)[0]
        boxes = tf.pad(tf.gather(boxes, kept), [[0, missing], [0, 0]])
        return boxes, tf.pad(tf.gather(scores[:, 1], kept), [[0, missing]])

    dtypes = (tf.float32, tf.float32)
    return tf.map_fn(one, (boxes, scores), dtype=dtypes, infer_shape=False)


@pytest.fixture(scope='module')
def case():
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, None, None, 3], 'input')
        boxes, scores = suppressed(*network(resized(images)))
        tf.slice(boxes, [0, 0, 0], [-1, 3, 4], name='boxes')
        tf.slice(scores, [0, 0], [-1, 3], name='scores')
    model = networks.model_of(graph, OUTPUTS)
    trace = trace_lib.trace(model)
    arrays = networks.random_arrays(graph)
    return cases.Case(
        model,
        trace,
        groups_lib.find_groups(trace),
        {v.node: arrays[v.key] for v in model.variables},
    )


def test_the_backbone_may_be_cut_and_what_the_loops_read_stays(case):
    frozen = {group.name: group.frozen for group in case.groups}

    assert frozen == {
        'layer_0': False,
        'layer_1': False,
        'layer_2': False,
        'box': True,
        'score': True,
    }
    assert case.trace.lost == {}


@pytest.mark.parametrize('mode', [plan_lib.BLOCK, plan_lib.FILTER])
def test_stripped_gives_the_answers_of_soft_pruned(case, mode, caplog):
    plan = case.plan(mode)
    arrays = case.soft_pruned(plan)

    stripped = case.strip(arrays, plan)

    assert stripped.plan.removed_count > 0
    assert {'Exit', 'NonMaxSuppressionV3'} <= {
        node.op for node in stripped.graph.graph_def.node
    }
    images = np.random.RandomState(2).uniform(0, 255, [2, 20, 24, 3])
    found, expected, before = (
        verify.run(freeze(model, weights), OUTPUTS, {'input': images})
        for model, weights in (
            (stripped.graph, stripped.arrays),
            (case.model, arrays),
            (case.model, case.arrays),
        )
    )
    for one, other, unpruned in zip(found, expected, before):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
        assert np.abs(unpruned - other).max() > 1e-3
    assert 'has a bug' not in caplog.text
