"""Networks of all float types, from a checkpoint to every format."""

from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.export import formats
from tf1pruning.graph.frozen import precision
from tf1pruning.models import reading
from tf1pruning.steps import exporting, stripping

DTYPES = [tf.float16, tf.bfloat16, tf.float64]


def network(dtype):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(dtype, [None, 6, 6, 3], 'input')
        x = tf.nn.conv2d(x, tf.get_variable('k1', [3, 3, 3, 8], dtype), 1, 'SAME')
        x = tf.nn.relu(tf.nn.bias_add(x, tf.get_variable('b1', [8], dtype)))
        x = tf.nn.conv2d(x, tf.get_variable('k2', [1, 1, 8, 6], dtype), 1, 'SAME')
        x = tf.nn.bias_add(x, tf.get_variable('b2', [6], dtype))
        x = tf.reshape(tf.nn.relu(x), [-1, 6 * 6 * 6])
        tf.matmul(x, tf.get_variable('k3', [216, 5], dtype), name='output')
    return graph


def saved(folder, dtype):
    """A checkpoint with one dead channel, and one that is always 0.5."""
    graph = network(dtype)
    arrays = networks.random_arrays(graph)
    for channel, bias in ((2, 0), (5, 0.5)):
        arrays['k1'] = arrays['k1'].copy()
        arrays['k1'][..., channel] = 0
        arrays['b1'][channel] = bias
    with graph.as_default(), tf.Session() as session:
        for variable in tf.global_variables():
            assign = variable.initializer
            session.run(assign, {assign.inputs[1]: arrays[variable.op.name]})
        return tf.train.Saver().save(session, str(folder / 'model'))


@pytest.fixture(params=DTYPES, ids=lambda dtype: dtype.name)
def source(request, tmp_path):
    return reading.load(saved(tmp_path, request.param))


def test_every_format_has_the_answers_and_its_type(source, tmp_path):
    dtype = source.graph.variables[0].dtype
    result = stripping.strip_model(source)

    found = exporting.export(result, str(tmp_path / 'out'), list(formats.FORMATS))

    # A constant is folded, unless 16-bit floats would round it.
    rounds = precision.is_half(dtype)
    assert result.stripped.plan.widths()['k1'] == 7 - (not rounds)
    assert [kept.reason for kept in result.stripped.kept] == (
        ["constant, but 16-bit floats in 'b2' would round it"] if rounds else []
    )
    assert [each.problem for each in found.written] == [''] * 4
    assert all(each.comparison.relative <= 1e-5 for each in found.written)
    stripped = Checkpoint(str(tmp_path / 'out' / 'stripped.ckpt'))
    assert set(stripped.dtypes.values()) == {dtype}
    graph = tf.GraphDef.FromString((tmp_path / 'out' / 'stripped.pb').read_bytes())
    kernels = [n for n in graph.node if n.name in ('k1', 'k2', 'k3')]
    assert {n.attr['dtype'].type for n in kernels} == {dtype.as_datatype_enum}


def test_a_frozen_graph_of_the_type_is_stripped_again(source, tmp_path):
    result = stripping.strip_model(source)
    exporting.export(result, str(tmp_path / 'first'), ['pb'])

    again = reading.load(str(tmp_path / 'first' / 'stripped.pb'))
    small = stripping.strip_model(again)
    found = exporting.export(small, str(tmp_path / 'second'), ['pb'])

    assert found.written[0].comparison.relative <= 1e-5
