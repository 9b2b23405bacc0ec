"""Networks put together at random: what holds for each op holds for their mixtures."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import cases
from tf1pruning import plan as plan_lib


class Builder:
    """Grows a network of 8x8 feature maps, one random layer after the other."""

    def __init__(self, seed: int, image: tf.Tensor):
        self._random = np.random.RandomState(seed)
        self.maps = [networks.conv(image, 6, 3, name='stem')]

    def grow(self, number: int) -> None:
        steps = (
            self._convolution,
            self._depthwise,
            self._norm_and_activation,
            self._join,
            self._concat,
            self._gate,
            self._scale,
            self._pool,
        )
        with tf.variable_scope(f'layer{number}'):
            x = self._any_map()
            self.maps.append(steps[self._random.randint(len(steps))](x))

    def _any_map(self) -> tf.Tensor:
        # Later maps more often, so that the network becomes deep.
        return self.maps[-1 - min(self._random.geometric(0.5), len(self.maps)) + 1]

    def _convolution(self, x: tf.Tensor) -> tf.Tensor:
        width = int(self._random.randint(2, 7))
        size = int(self._random.choice([1, 3]))
        return networks.conv(x, width, size, dilation_rate=1)

    def _depthwise(self, x: tf.Tensor) -> tf.Tensor:
        multiplier = 2 if x.shape.as_list()[-1] < 8 and self._random.rand() < 0.3 else 1
        return networks.depthwise(x, multiplier=multiplier)

    def _norm_and_activation(self, x: tf.Tensor) -> tf.Tensor:
        names = sorted(networks.ACTIVATIONS)
        return networks.ACTIVATIONS[self._random.choice(names)](networks.batch_norm(x))

    def _join(self, x: tf.Tensor) -> tf.Tensor:
        join = [tf.add, tf.multiply, tf.maximum][self._random.randint(3)]
        same = [y for y in self.maps if y.shape[-1] == x.shape[-1]]
        return join(x, same[self._random.randint(len(same))])

    def _concat(self, x: tf.Tensor) -> tf.Tensor:
        other = self._any_map()
        if x.shape.as_list()[-1] + other.shape.as_list()[-1] > 16:
            return self._convolution(x)
        return tf.concat([x, other], -1)

    def _gate(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.reduce_mean(x, [1, 2], keepdims=True)
        y = tf.nn.relu(networks.conv(y, 3, name='squeeze'))
        return x * tf.sigmoid(networks.conv(y, x.shape.as_list()[-1], name='excite'))

    def _scale(self, x: tf.Tensor) -> tf.Tensor:
        return x * tf.get_variable('scale', [x.shape.as_list()[-1]])

    def _pool(self, x: tf.Tensor) -> tf.Tensor:
        pool = [tf.nn.max_pool2d, tf.nn.avg_pool2d][self._random.randint(2)]
        return pool(x, 3, 1, 'SAME')


def random_network(seed: int) -> tf.Graph:
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        builder = Builder(seed, image)
        for number in range(14):
            builder.grow(number)
        # Every map has its say.
        pooled = [tf.tanh(tf.reduce_mean(x, [1, 2])) for x in builder.maps]
        tf.layers.dense(tf.concat(pooled, 1), 4, name='dense')
        tf.identity(graph.get_tensor_by_name('dense/BiasAdd:0'), name='output')
    return graph


@pytest.mark.parametrize('mode', plan_lib.MODES)
@pytest.mark.parametrize('seed', range(12))
def test_stripped_gives_the_answers_of_soft_pruned(seed, mode):
    case = cases.case_of(random_network(seed))
    plan = case.plan(mode)
    arrays = case.soft_pruned(plan)

    stripped = case.strip(arrays, plan)

    expected = case.outputs(case.model, arrays)
    found = case.outputs(stripped.graph, stripped.arrays)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(found - case.outputs(case.model, case.arrays)).max() > 1e-3
    assert stripped.plan.removed_count > 0
    if mode == plan_lib.BLOCK:
        assert stripped.plan.widths() == plan.widths()
