from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes
from tf1pruning.graph.frozen import precision
from tf1pruning.graph.view import GraphView


def graph_of(dtype):
    """One half of its input, by a constant of the same type."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(dtype, [None], 'input')
        half = tf.constant(np.array([0.5, 0.25]).astype(dtype.as_numpy_dtype), name='c')
        tf.cast(x * half, tf.float32, name='output')
    return graph.as_graph_def()


def types(graph_def):
    return {attr.type for node in graph_def.node for attr in node.attr.values()} - {0}


@pytest.mark.parametrize('dtype', [tf.float16, tf.bfloat16])
def test_16_bit_floats_become_32_bit_ones(dtype):
    graph_def = graph_of(dtype)

    found = precision.widened(graph_def)

    assert precision.has_half(graph_def)
    assert not precision.has_half(found)
    assert types(found) == {tf.float32.as_datatype_enum}
    value = nodes.constant_value(GraphView(found).node('c'))
    assert (value.dtype, value.tolist()) == (np.float32, [0.5, 0.25])


def test_64_bit_floats_become_32_bit_ones_only_where_all_do():
    graph_def = graph_of(tf.float64)

    assert precision.widened(graph_def) is graph_def
    assert types(precision.single(graph_def)) == {tf.float32.as_datatype_enum}


def test_lists_of_types_are_changed_too():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float16, [2], 'input')
        tf.raw_ops.IdentityN(input=[x, x], name='output')

    found = precision.widened(graph.as_graph_def())

    both = [tf.float32.as_datatype_enum] * 2
    assert list(GraphView(found).node('output').attr['T'].list.type) == both


def test_the_graph_is_not_changed():
    graph_def = graph_of(tf.bfloat16)
    before = graph_def.SerializeToString(deterministic=True)

    precision.single(graph_def)

    assert graph_def.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize('dtype', [tf.float16, tf.bfloat16])
def test_numbers_that_a_half_float_holds_are_known(dtype):
    values = np.array([0.0, 0.5, -3.0, 0.1, 1.001, np.nan])

    found = precision.fits_half(values, dtype)

    assert found.tolist() == [True, True, True, False, False, False]
