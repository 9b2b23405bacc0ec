from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import VerificationError
from tf1pruning.surgery import feeds, verify
from tf1pruning.surgery.verify import Comparison


def affine(factor=2.0, offset=0.0, shape=(None, 3), dtype=tf.float32):
    """Two outputs: `output` = factor * input + offset, and the input, `same`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(dtype, shape, 'input')
        y = tf.identity(tf.cast(x, tf.float32), name='same')
        tf.add(y * factor, offset, name='output')
    return graph.as_graph_def()


def test_equal_graphs_do_not_differ():
    found = verify.compare(affine(), affine(), ('output', 'same'))

    assert found == Comparison(0.0, 0.0)
    verify.check(found)


def test_a_planted_difference_is_found():
    found = verify.compare(affine(), affine(2.2), ('same', 'output'))

    # 0.2 of 2 at every place, so 10 % of the scale.
    assert found.relative == pytest.approx(0.1, rel=1e-4)
    with pytest.raises(VerificationError, match=r'differs by 1\.0e-01 .*Nothing was'):
        verify.check(found)


def test_the_scale_is_the_largest_output():
    offset = verify.compare(affine(0, 100), affine(0, 100.5), ('output',))

    assert (offset.absolute, offset.relative) == (0.5, 0.005)


def test_an_output_of_zeros_is_compared_as_it_is():
    found = verify.compare(affine(0, 0), affine(0, 0.25), ('output',))

    assert found == Comparison(0.25, 0.25)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_reference_that_is_not_finite_proves_nothing(bad):
    with pytest.raises(VerificationError, match="Output 'output' is not finite"):
        verify.compare(affine(bad), affine(bad), ('output',))


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_result_that_is_not_finite_is_a_difference(bad):
    found = verify.compare(affine(), affine(bad), ('output',))

    assert found.relative == np.inf
    with pytest.raises(VerificationError, match='differs by inf'):
        verify.check(found)


def test_an_input_of_unknown_rank_is_named():
    with pytest.raises(VerificationError, match="Input 'input' has no known rank"):
        verify.compare(affine(shape=None), affine(shape=None), ('output',))


def test_an_input_of_strings_cannot_be_made_up():
    with tf.Graph().as_default() as graph:
        tf.strings.length(tf.placeholder(tf.string, [None], 'files'), name='output')
    graph_def = graph.as_graph_def()

    with pytest.raises(VerificationError, match="input 'files' of type string"):
        verify.compare(graph_def, graph_def, ('output',))


def test_a_graph_that_does_not_run_says_why():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, None], 'input')
        tf.matmul(x, x, name='output')
    graph_def = graph.as_graph_def()

    with pytest.raises(VerificationError, match=r'does not run.*Matrix size'):
        verify.compare(graph_def, graph_def, ('output',))


@pytest.mark.parametrize(
    ('shape', 'dtype', 'expected'),
    [
        ([None, 4, 3], tf.float32, (2, 4, 3)),
        ([None, None, None, 3], tf.float32, (2, 64, 64, 3)),
        ([5, 2], tf.float64, (5, 2)),
        ([], tf.bool, ()),
        ([None], tf.uint8, (2,)),
        ([None], tf.int64, (2,)),
    ],
)
def test_inputs_have_the_type_and_the_known_sizes(shape, dtype, expected):
    found = feeds.random_inputs(affine(1, 0, shape, dtype), seed=0)

    assert found['input'].shape == expected
    assert found['input'].dtype == dtype.as_numpy_dtype


def test_a_seed_gives_the_same_inputs_again():
    first, same, other = (
        feeds.random_inputs(affine(), seed)['input'] for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(first, same)
    assert (first != other).all()


def graph_of(build):
    with tf.Graph().as_default() as graph:
        tf.identity(build(), name='output')
    return graph.as_graph_def()


def test_a_difference_under_a_true_flag_is_found():
    def switched(factor):
        flag = tf.placeholder(tf.bool, [], 'flag')
        x = tf.placeholder(tf.float32, [None, 3], 'input')
        return x + tf.cast(flag, tf.float32) * factor * x

    found = verify.compare(
        graph_of(lambda: switched(1.0)), graph_of(lambda: switched(2.0)), ('output',)
    )

    # x + 2 x instead of x + x.
    assert found.relative == pytest.approx(0.5)


@pytest.mark.parametrize('rows', [1, 5, 50])
def test_indices_lie_within_their_table(rows):
    def embedded():
        ids = tf.placeholder(tf.int32, [None, 20], 'input')
        return tf.nn.embedding_lookup(tf.ones([rows, 2]), tf.reshape(ids, [-1]))

    inputs = feeds.random_inputs(graph_of(embedded), seed=0)

    assert set(np.unique(inputs['input'])) <= set(range(rows))


def test_strings_are_compared_as_they_are():
    def named(*labels):
        x = tf.placeholder(tf.float32, [None, 2], 'input')
        return tf.gather(tf.constant(labels), tf.argmax(x, 1))

    graph = graph_of(lambda: named('cat', 'dog'))

    same = verify.compare(graph, graph, ('output',))
    other = verify.compare(graph, graph_of(lambda: named('cow', 'pig')), ('output',))

    assert same == Comparison(0.0, 0.0)
    assert other == Comparison(1.0, 1.0)


def test_the_imaginary_part_counts():
    def rotated(angle):
        x = tf.placeholder(tf.float32, [None, 2], 'input')
        return tf.complex(x, angle * x)

    graph = graph_of(lambda: rotated(1.0))

    assert verify.compare(graph, graph, ('output',)) == Comparison(0.0, 0.0)
    found = verify.compare(graph, graph_of(lambda: rotated(2.0)), ('output',))
    assert found.relative == pytest.approx(np.sqrt(0.5))


def test_a_table_that_nothing_fills_is_named():
    def looked_up():
        x = tf.placeholder(tf.int64, [None], 'input')
        values = tf.lookup.KeyValueTensorInitializer([0, 1], ['a', 'b'], tf.int64)
        return tf.lookup.StaticHashTable(values, 'none').lookup(x)

    graph = graph_of(looked_up)

    with pytest.raises(VerificationError, match='Name output nodes before the table'):
        verify.compare(graph, graph, ('output',))


def test_an_input_that_does_not_fit_into_memory_is_named():
    graph = graph_of(lambda: tf.placeholder(tf.float32, [10**6] * 3, 'x') + 1.0)

    with pytest.raises(VerificationError, match=r"'x' of shape .* fit into memory"):
        feeds.random_inputs(graph, 0)
