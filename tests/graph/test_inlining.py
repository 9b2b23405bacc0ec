"""Functions are inlined, and conditionals of control flow v2 are decided."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.graph.inference import test_conditionals as v1
from tf1pruning.channels import groups, trace
from tf1pruning.errors import GraphError
from tf1pruning.graph import functions, inlining
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.surgery import verify


@contextlib.contextmanager
def control_flow_v2():
    tf.enable_control_flow_v2()
    try:
        yield
    finally:
        tf.disable_control_flow_v2()


@pytest.fixture(autouse=True)
def _control_flow_v2():
    with control_flow_v2():
        yield


def graph_of(build, shape=(None, 4)):
    """What `build(x)` makes, in a graph with the output `output`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, list(shape), 'input')
        with tf.variable_scope('', use_resource=True):
            tf.identity(build(x), name='output')
    return graph


def answer(model, feeds, arrays=None):
    given = {v.node: arrays[v.key] for v in model.variables}
    return verify.run(freeze(model, given), model.outputs, feeds)[0]


def direct(graph, arrays, feeds):
    """What TensorFlow computes with a graph itself."""
    with tf.Session(graph=graph) as session:
        for variable in graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES):
            variable.load(arrays[variable.op.name], session)
        return session.run('output:0', feeds)


def ops(model):
    return {node.op for node in model.graph_def.node}


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('flag', v1.FLAGS)
def test_a_flag_gives_exactly_the_answers_of_the_inference_graph(flag, fused):
    training = v1.graph_of(flag, resource=True, fused=fused)
    written = v1.graph_of(False, resource=True, fused=fused)
    arrays = networks.random_arrays(training)

    model = networks.model_of(training)

    assert model.inputs == ('input',)
    left = {'If', 'StatelessIf', 'Switch', 'Merge', 'RandomUniform'} & ops(model)
    assert not left
    assert not model.graph_def.library.function
    expected = v1.answers(networks.model_of(written), arrays)
    np.testing.assert_array_equal(v1.answers(model, arrays), expected)
    assert np.abs(expected).max() > 0.1


def test_the_channels_behind_such_a_conditional_are_followed():
    model = networks.model_of(v1.graph_of(v1.placeholder))

    found = {g.name: g.frozen for g in groups.find_groups(trace.trace(model))}

    assert found == {'first': False, 'second': True}


def test_keras_under_its_learning_phase_is_the_inference_graph():
    v1.test_keras_under_its_learning_phase_is_the_inference_graph()


def split(x):
    """A conditional whose branch reads the second output of an op, and returns two."""
    flag = tf.placeholder_with_default(False, [], 'flag')

    def inference_branch():
        first, second = tf.split(x, 2, axis=1)
        return second, first * 10.0

    pair = tf.cond(flag, lambda: (x[:, :2], x[:, 2:]), inference_branch)
    return tf.concat(pair, 1)


def test_ops_and_conditionals_with_several_results_keep_their_order():
    model = networks.model_of(graph_of(split))

    found = answer(model, {'input': np.array([[1.0, 2.0, 3.0, 4.0]])})

    assert found.tolist() == [[3.0, 4.0, 10.0, 20.0]]


def test_nested_conditionals_are_decided_each():
    def build(x):
        flag = v1.placeholder()
        inner = tf.placeholder_with_default(False, [], 'use_noise')
        return tf.cond(
            tf.logical_not(flag),
            lambda: tf.cond(
                inner, lambda: x + tf.random_normal([4]), lambda: tf.nn.relu(x)
            ),
            lambda: tf.cond(flag, lambda: tf.nn.dropout(x, rate=0.5), lambda: x),
        )

    model = networks.model_of(graph_of(build))

    assert ops(model) == {'Placeholder', 'Identity', 'Relu'}


def test_nodes_are_named_by_the_call_and_the_branch():
    def build(x):
        return tf.cond(
            tf.placeholder_with_default(False, []),
            lambda: x,
            lambda: 2 * tf.nn.relu(x, name='act'),
            name='phase',
        )

    model = networks.model_of(graph_of(build))

    (name,) = [n.name for n in model.graph_def.node if n.op == 'Relu']
    assert name == 'phase/else/act'


def test_the_conditional_itself_may_be_the_output():
    graph = graph_of(split)
    (name,) = [n.name for n in graph.as_graph_def().node if n.op in inlining.IF_OPS]

    model = networks.model_of(graph, [name])

    found = answer(model, {'input': np.array([[1.0, 2.0, 3.0, 4.0]])})
    assert found.tolist() == [[3.0, 4.0]]


def test_an_input_map_may_name_any_result_of_a_conditional():
    graph = graph_of(split)
    (name,) = [n.name for n in graph.as_graph_def().node if n.op in inlining.IF_OPS]
    meta_graph = tf.train.export_meta_graph(graph=graph)

    model = derivation.derive(meta_graph, ['output'], {f'{name}:1': 'second'})

    assert model.inputs == ('input', 'second')
    feeds = {
        'input': np.array([[1.0, 2.0, 3.0, 4.0]]),
        'second': np.array([[5.0, 6.0]]),
    }
    assert answer(model, feeds).tolist() == [[3.0, 4.0, 5.0, 6.0]]


def data_dependent(image):
    x = networks.conv(image, 6, name='first')

    def scaled():
        return tf.nn.relu(x * tf.get_variable('scale', [6]))

    y = tf.cond(tf.reduce_mean(image) > 0, scaled, lambda: tf.nn.relu6(x))
    return networks.conv(networks.conv(y, 4, name='second'), 4, name='third')


@pytest.mark.parametrize('is_v2', [True, False])
@pytest.mark.parametrize('sign', [-1, 1])
def test_a_condition_on_data_stays_exact_and_its_channels_are_followed(is_v2, sign):
    if not is_v2:
        tf.disable_control_flow_v2()
    graph = graph_of(data_dependent, (None, 4, 4, 3))
    arrays = networks.random_arrays(graph)
    model = networks.model_of(graph)
    image = sign * np.random.RandomState(0).uniform(0.5, 1, [2, 4, 4, 3])

    found = {g.name: g for g in groups.find_groups(trace.trace(model))}

    assert not found['first'].frozen
    assert not found['second'].frozen
    places = {place.variable for place in found['first'].places}
    assert places == {'first/kernel', 'first/bias', 'scale', 'second/kernel'}
    expected = direct(graph, arrays, {'input:0': image})
    result = answer(model, {'input': image}, arrays)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('is_v2', [True, False])
@pytest.mark.parametrize('sign', [1, -1])
def test_a_branch_on_data_that_gives_a_constant_stays_a_branch(sign, is_v2):
    if not is_v2:
        tf.disable_control_flow_v2()

    def build(x):
        one, two = tf.constant(1.0), tf.constant(2.0)
        lucky = tf.reduce_mean(x) > 0
        return (
            x
            * tf.cond(lucky, lambda: tf.ones([4]), lambda: tf.zeros([4]), name='choice')
            * tf.cond(lucky, lambda: one, lambda: two, name='fine')
        )

    graph = graph_of(build)
    arrays = networks.random_arrays(graph)
    image = sign * np.random.RandomState(0).uniform(0.5, 1, [2, 4])

    expected = direct(graph, arrays, {'input:0': image})
    result = answer(networks.model_of(graph), {'input': image}, arrays)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def called(x):
    """Nested functions with a captured variable and two results."""
    scale = tf.get_variable('scale', [4])

    @tf.function
    def inner(y):
        low, high = tf.split(y, 2, axis=1)
        return high, low

    @tf.function
    def outer(y):
        high, low = inner(y * scale)
        return tf.concat([high, low], 1)

    return outer(x)


def test_function_calls_are_inlined_with_captured_variables():
    graph = graph_of(called)
    arrays = {'scale': np.array([1, 10, 100, 1000], np.float32)}
    assert 'StatefulPartitionedCall' in {n.op for n in graph.as_graph_def().node}

    model = networks.model_of(graph)

    assert ops(model) & {'PartitionedCall', 'StatefulPartitionedCall'} == set()
    found = answer(model, {'input': np.array([[1.0, 2.0, 3.0, 4.0]])}, arrays)
    assert found.tolist() == [[300.0, 4000.0, 1.0, 20.0]]


def test_batch_norm_in_a_function_uses_its_moving_statistics():
    def build(x, training):
        layer = tf.keras.layers.BatchNormalization(name='norm')
        return tf.function(lambda y: layer(y, training=training))(x)

    graph = graph_of(lambda x: build(x, True), (None, 2, 2, 3))
    arrays = networks.random_arrays(graph)
    image = np.random.RandomState(0).standard_normal([3, 2, 2, 3])

    found = answer(networks.model_of(graph), {'input': image}, arrays)

    written = graph_of(lambda x: build(x, False), (None, 2, 2, 3))
    expected = direct(written, arrays, {'input:0': image})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def meta_graph_with_call():
    """A graph whose output is a call of the function `f`."""
    build = tf.function(lambda x: tf.nn.relu(x))
    meta_graph = tf.train.export_meta_graph(graph=graph_of(build))
    (call,) = [n for n in meta_graph.graph_def.node if n.op == 'PartitionedCall']
    call.name, call.attr['f'].func.name = 'call', 'f'
    for node in meta_graph.graph_def.node:
        for position, name in enumerate(node.input):
            if name.startswith('PartitionedCall'):
                node.input[position] = 'call'
    meta_graph.graph_def.library.function[0].signature.name = 'f'
    return meta_graph, call


def test_a_node_that_is_a_function_by_its_op_is_inlined():
    meta_graph, call = meta_graph_with_call()
    call.op = 'f'
    call.attr.clear()

    model = derivation.derive(meta_graph, ['output'])

    found = answer(model, {'input': np.array([[-1.0, 2.0, 3.0, -4.0]])})
    assert found.tolist() == [[0.0, 2.0, 3.0, 0.0]]


def make_recursive(function, call):
    inner = function.node_def.add()
    inner.CopyFrom(call)
    inner.name, inner.input[0] = 'again', function.signature.input_arg[0].name
    function.ret[function.signature.output_arg[0].name] = 'again:output:0'


def make_generic(function, call):
    function.node_def[0].attr['T'].placeholder = 'T'


def make_a_list(function, call):
    function.signature.input_arg[0].number_attr = 'N'


@pytest.mark.parametrize(
    ('change', 'name', 'reason'),
    [
        (make_recursive, 'call/again', "its function 'f' calls itself"),
        (make_generic, 'call', "'f' has attributes that each call sets"),
        (make_a_list, 'call', "'f' has an argument that is a list"),
    ],
)
def test_a_function_that_cannot_be_inlined_is_refused_by_name(change, name, reason):
    meta_graph, call = meta_graph_with_call()
    change(meta_graph.graph_def.library.function[0], call)

    with pytest.raises(GraphError) as caught:
        derivation.derive(meta_graph, ['output'])

    assert f'{name!r}: ' in str(caught.value)
    assert reason in str(caught.value)


def test_a_function_that_is_missing_is_refused_by_name():
    meta_graph, call = meta_graph_with_call()
    call.attr['f'].func.name = 'g'

    with pytest.raises(
        GraphError, match="'call': its function 'g' is not in the graph"
    ):
        derivation.derive(meta_graph, ['output'])


def test_a_call_that_no_output_needs_does_no_harm():
    meta_graph, call = meta_graph_with_call()
    call.attr['f'].func.name = 'g'
    (output,) = [n for n in meta_graph.graph_def.node if n.name == 'output']
    output.input[0] = 'input'

    model = derivation.derive(meta_graph, ['output'])

    assert ops(model) == {'Placeholder', 'Identity'}


def test_a_condition_that_is_no_boolean_is_refused_by_name():
    graph = graph_of(split)
    meta_graph = tf.train.export_meta_graph(graph=graph)
    (branching,) = [n for n in meta_graph.graph_def.node if n.op in inlining.IF_OPS]
    branching.attr['Tcond'].type = tf.int32.as_datatype_enum

    with pytest.raises(GraphError, match="'cond': its condition is not a boolean"):
        derivation.derive(meta_graph, ['output'])


def test_a_graph_without_calls_is_handed_back():
    graph_def = tf.GraphDef()

    assert inlining.inline(graph_def).graph_def is graph_def


def test_only_functions_that_nodes_name_are_kept():
    graph_def = graph_of(called).as_graph_def()

    assert functions.used_library(graph_def) == graph_def.library
    del graph_def.node[:]
    assert not functions.used_library(graph_def).function


def turns(x):
    """Swaps two values, doubles a third, and hands on a fourth, three times."""

    def body(step, first, second, sums, scale):
        return step + 1, second, first, sums + sums * scale, scale

    start = (0, x, -x, x, tf.reduce_max(x))
    results = tf.while_loop(lambda step, *_: step < 3, body, start, name='turns')
    return tf.stack([tf.cast(results[0], tf.float32) + x, *results[1:4]]) + results[4]


def test_a_loop_gives_what_tensorflow_computes():
    graph = graph_of(turns)
    model = networks.model_of(graph)
    feeds = {'input': np.array([[-1.0, 0.5, 2.0, 0.25]], np.float32)}

    assert {'Enter', 'NextIteration', 'Exit'} <= ops(model)
    assert not {'While', 'StatelessWhile'} & ops(model)
    with tf.Session(graph=graph) as session:
        expected = session.run('output:0', {'input:0': feeds['input']})
    np.testing.assert_array_equal(answer(model, feeds), expected)


def loop_of(graph):
    meta_graph = tf.train.export_meta_graph(graph=graph)
    (loop,) = [n for n in meta_graph.graph_def.node if n.op in inlining.LOOP_OPS]
    library = functions.by_name(meta_graph.graph_def)
    return (
        meta_graph,
        library[loop.attr['cond'].func.name],
        library[loop.attr['body'].func.name],
    )


def test_a_loop_that_changes_nothing_is_refused_by_name():
    meta_graph, _, body = loop_of(graph_of(turns))
    arguments = [each.name for each in body.signature.input_arg]
    for result, argument in zip(body.signature.output_arg, arguments):
        body.ret[result.name] = argument

    with pytest.raises(GraphError, match='its body changes nothing'):
        derivation.derive(meta_graph, ['output'])


def test_a_loop_without_a_boolean_is_refused_by_name():
    meta_graph, condition, _ = loop_of(graph_of(turns))
    condition.signature.output_arg[0].type = tf.int32.as_datatype_enum

    with pytest.raises(GraphError, match='its condition is not a boolean'):
        derivation.derive(meta_graph, ['output'])
