from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.view import GraphView
from tf1pruning.sampling import first_batch_norms, preparation
from tf1pruning.sampling.parts import Samples, Source

RANDOM = np.random.RandomState(0)
# Three channels with means and deviations of their own.
IMAGES = (RANDOM.rand(64, 4, 4, 3) * [1.0, 0.5, 0.8] + [0.0, 0.3, 0.1]).astype('f')


def trained(images=IMAGES, fused=True, first=False, layers=1, default=False):
    """A network whose first batch norm has the statistics of images, and its arrays."""
    shape = [None, *(images.shape[1:] if not first else (3, 4, 4))]
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, shape, 'x')
        if default:
            x = tf.placeholder_with_default(np.zeros([1, 4, 4, 3], 'f'), shape, 'd')
        kernel = np.eye(3, dtype=np.float32)[None, None] * 2
        layout = 'channels_first' if first else 'channels_last'
        x = tf.layers.conv2d(
            x, 3, 1, use_bias=False, name='c', data_format=layout,
            kernel_initializer=tf.constant_initializer(kernel)
        )  # fmt: skip
        for number in range(layers):
            x = tf.layers.batch_normalization(
                x, 1 if first else 3, fused=fused, name=f'b{number}'
            )
        tf.identity(tf.nn.relu(x), 'output')
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            arrays = {v.op.name: session.run(v) for v in tf.global_variables()}
        meta_graph = tf.train.export_meta_graph(graph=graph)
    arrays['b0/moving_mean'] = 2 * images.mean(axis=(0, 1, 2))
    arrays['b0/moving_variance'] = 4 * images.var(axis=(0, 1, 2))
    return derivation.derive(meta_graph, ['output']), arrays


def samples(images, name='x'):
    def read(rows, size):
        return ({name: images[rows[i : i + size]]} for i in range(0, len(rows), size))

    return Samples.drawn(Source(len(images), read), 16)


def warned(network, images):
    return [str(note) for note in preparation.warnings(*network, samples(images))]


@pytest.mark.parametrize(('fused', 'first'), [(True, False), (False, False),
                                              (True, True), (False, True)])  # fmt: skip
def test_wrong_numbers_are_warned_of_at_the_first_batch_norm(fused, first):
    network = trained(fused=fused, first=first, layers=2)
    fed = IMAGES.transpose(0, 3, 1, 2) if first else IMAGES

    assert warned(network, fed) == []
    assert warned(network, fed[:5]) == []
    [large] = warned(network, fed * 255)
    [shifted] = warned(network, fed - 1)
    assert f"at 'b0/{'FusedBatchNormV3' if fused else 'batchnorm/mul_1'}'," in large
    assert 'deviation is 254 times the moving one' in large
    assert 'deviation is 1 times' in shifted
    assert 'range of the numbers' in shifted


def test_an_input_with_a_default_is_no_weight():
    network = trained(default=True)

    assert preparation.warnings(*network, samples(IMAGES, 'd')) == []
    assert preparation.warnings(*network, samples(IMAGES * 9, 'd')) != []


def test_the_distance_is_that_of_normal_distributions():
    network = trained()
    data = samples(IMAGES + IMAGES.std(axis=(0, 1, 2)))

    [found] = first_batch_norms.distances(*network, data.batches)

    # The batch norm adds 0.001 to the variance.
    assert found.shift == pytest.approx(1, abs=0.01)
    assert found.scale == pytest.approx(1, abs=0.01)
    assert found.divergence == pytest.approx(0.5, abs=0.01)


def test_channels_in_the_reverse_order_are_found():
    images = (RANDOM.rand(64, 4, 4, 3) + [0.0, 0.05, 0.1]).astype('f')

    [found] = warned(trained(images), images[..., ::-1])

    assert 'channels in the reverse order' in found
    assert warned(trained(images), images) == []
    # They are too few to say that.
    assert warned(trained(images), images[:16, ..., ::-1]) == []


def test_a_network_without_batch_norm_is_not_run():
    network, _ = trained(layers=0)

    assert preparation.warnings(network, {}, samples(IMAGES)) == []


def test_only_the_first_batch_norms_are_looked_at():
    graph, _ = trained(layers=3)

    found = first_batch_norms.first(GraphView(graph.graph_def))

    assert [each.node.partition('/')[0] for each in found] == ['b0']


def test_data_on_which_the_network_does_not_run_is_an_error():
    with pytest.raises(DataError, match='does not run on the samples'):
        warned(trained(), IMAGES[..., :2])
