from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import by_version
from tf1pruning.graph.frozen import constant_folding
from tf1pruning.surgery import verify

VECTOR = np.arange(1, 7, dtype=np.float32)
CASES = {
    'Add': lambda v: tf.raw_ops.Add(x=v, y=2.0),
    'AddV2': lambda v: tf.raw_ops.AddV2(x=v, y=2.0),
    'Cast': lambda v: tf.cast(tf.cast(v * 1.5, tf.int32), tf.float32),
    'ConcatV2': lambda v: tf.concat([v, v], 0),
    'ExpandDims': lambda v: tf.expand_dims(v, -1),
    'Maximum': lambda v: tf.maximum(v, 3.0),
    'Minimum': lambda v: tf.minimum(v, 3.0),
    'Mul': lambda v: tf.multiply(v, v),
    'Neg': tf.negative,
    'Pack': lambda v: tf.stack([v, v], 1),
    'RealDiv': lambda v: tf.divide(v, 4.0),
    'Reshape': lambda v: tf.reshape(v, [2, -1]),
    'Rsqrt': tf.rsqrt,
    'Sqrt': tf.sqrt,
    'Square': tf.square,
    'Squeeze': lambda v: tf.squeeze(tf.reshape(v, [1, 6, 1]), [0]),
    'Sub': lambda v: tf.subtract(v, 1.0),
    'Transpose': lambda v: tf.transpose(tf.reshape(v, [2, 3]), [1, 0]),
}


def graph_of(build):
    """`output` = input + build(constant)."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [], 'input')
        tf.add(x, build(tf.constant(VECTOR)), name='output')
    return graph.as_graph_def()


def fold(graph_def, outputs=('output',)):
    return constant_folding.fold_constants(graph_def, outputs)


def ops(graph_def):
    return sorted(node.op for node in graph_def.node)


@pytest.mark.parametrize('op', sorted(CASES))
def test_what_hangs_on_constants_alone_becomes_one(op):
    graph_def = graph_of(CASES[op])
    assert op in ops(graph_def)

    folded = fold(graph_def)

    assert len(folded.node) == 3
    assert ops(folded).count('Const') == 1
    found = verify.compare(graph_def, folded, ['output'])
    assert found.relative <= 1e-6


def test_the_arithmetic_of_batch_norm_becomes_two_vectors():
    def arithmetic(x):
        inverse = tf.rsqrt(tf.constant(VECTOR) + 0.001) * tf.constant(VECTOR)
        return x * inverse + (tf.constant(VECTOR) - tf.constant(VECTOR) * inverse)

    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6], 'input')
        tf.identity(arithmetic(x), name='output')

    folded = fold(graph.as_graph_def())

    assert ops(folded) == ['AddV2', 'Const', 'Const', 'Identity', 'Mul', 'Placeholder']


def test_an_identity_is_passed_over_and_an_output_keeps_its_name():
    with tf.Graph().as_default() as graph:
        constant = tf.constant(VECTOR)
        x = tf.placeholder(tf.float32, [], 'input')
        tf.add(x, tf.identity(tf.identity(constant)), name='sum')
        tf.identity(constant, name='output')

    folded = fold(graph.as_graph_def(), ('sum', 'output'))

    assert ops(folded) == [by_version.ADD, 'Const', 'Identity', 'Placeholder']
    found = verify.run(folded, ['output'], {'input': 1})[0]
    np.testing.assert_array_equal(found, VECTOR)


def test_nothing_is_folded_that_takes_more_bytes():
    def table(v):
        return tf.reshape(v, [6, 1]) + tf.zeros([1, 60])

    graph_def = graph_of(table)

    folded = fold(graph_def)

    assert ops(folded).count('Add') + ops(folded).count('AddV2') == 2
    assert folded.ByteSize() <= graph_def.ByteSize()


def test_a_constant_with_two_readers_is_not_stored_twice():
    with tf.Graph().as_default() as graph:
        constant = tf.constant(np.random.RandomState(0).rand(10, 20), tf.float32)
        x = tf.placeholder(tf.float32, [], 'input')
        for name in ('first', 'second'):
            tf.add(x, tf.transpose(constant, [1, 0]), name=name)
    graph_def = graph.as_graph_def()

    folded = fold(graph_def, ('first', 'second'))

    assert ops(folded).count('Transpose') == 2


def test_unused_nodes_go_and_the_graph_is_not_changed():
    graph_def = graph_of(lambda v: v)
    graph_def.node.add(name='unused', op='NoOp')
    before = graph_def.SerializeToString(deterministic=True)

    folded = fold(graph_def)

    assert 'unused' not in {node.name for node in folded.node}
    assert graph_def.SerializeToString(deterministic=True) == before


def test_what_only_passes_its_inputs_on_goes():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [3], 'input')
        first, second = tf.raw_ops.IdentityN(input=[x, x * 2.0], name='both')
        tf.subtract(second, tf.nn.swish(first), name='output')
    graph_def = graph.as_graph_def()

    folded = fold(graph_def)

    assert 'IdentityN' in ops(graph_def)
    assert 'IdentityN' not in ops(folded)
    assert verify.compare(graph_def, folded, ['output']).absolute == 0


@pytest.mark.parametrize('dtype', [tf.float16, tf.bfloat16])
def test_a_cast_that_rounds_is_left_to_tensorflow(dtype):
    graph_def = graph_of(lambda v: tf.cast(tf.cast(v, dtype), tf.float32))

    folded = fold(graph_def)

    assert ops(folded).count('Cast') == 2


def test_arithmetic_is_left_to_tensorflow_where_the_last_bit_may_be_a_step():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 2], 'input')
        y = x * tf.rsqrt(tf.constant([2.0, 3.0]))
        tf.quantization.fake_quant_with_min_max_args(y, name='output')

    folded = constant_folding.fold_constants(graph.as_graph_def(), ['output'])

    assert 'Rsqrt' in {node.op for node in folded.node}
