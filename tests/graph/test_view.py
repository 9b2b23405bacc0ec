from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.view import GraphView
from tf1pruning.names import TensorRef


def diamond():
    """input -> left, right -> both; `ready` comes before `right`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        left = tf.nn.relu(x, name='left')
        with tf.control_dependencies([tf.no_op('ready')]):
            right = tf.nn.tanh(x, name='right')
        tf.concat([left, right], 1, name='both')
        tf.nn.relu(x, name='unused')
    return graph


def view_of(graph, shapes=True):
    return GraphView(graph.as_graph_def(add_shapes=shapes))


def names_of(nodes):
    return [node.name for node in nodes]


@pytest.mark.parametrize('shapes', [True, False])
def test_static_shapes_are_known_with_and_without_output_shapes(shapes):
    view = view_of(diamond(), shapes)

    assert view.shape(TensorRef('input', 0)) == (None, 4)
    assert view.shape(TensorRef('both', 0)) == (None, 8)
    assert view.shape(TensorRef('both/axis', 0)) == ()


def test_a_shape_that_a_saver_left_is_not_inferred_again():
    graph_def = diamond().as_graph_def(add_shapes=True)
    left = next(node for node in graph_def.node if node.name == 'left')
    left.attr['_output_shapes'].list.shape[0].dim[1].size = 7

    assert GraphView(graph_def).shape(TensorRef('left', 0)) == (None, 7)


@pytest.mark.parametrize('shapes', [True, False])
def test_an_unknown_rank_is_none(shapes):
    with tf.Graph().as_default() as graph:
        tf.placeholder(tf.float32, name='input')

    assert view_of(graph, shapes).shape(TensorRef('input', 0)) is None


@pytest.mark.parametrize('shapes', [True, False])
def test_every_output_has_its_shape(shapes):
    with tf.Graph().as_default() as graph:
        tf.split(tf.zeros([2, 6]), [1, 5], 1, name='parts')

    view = view_of(graph, shapes)

    assert view.shape(TensorRef('parts', 0)) == (2, 1)
    assert view.shape(TensorRef('parts', 1)) == (2, 5)


def test_ancestors_come_before_their_readers_each_once():
    found = names_of(view_of(diamond()).ancestors(['both']))

    assert found == ['input', 'left', 'right', 'both/axis', 'both']


def test_ancestors_of_a_very_deep_graph_need_no_recursion():
    graph_def = tf.GraphDef()
    graph_def.node.add(name='n0', op='Placeholder')
    for i in range(1, 20_000):
        graph_def.node.add(name=f'n{i}', op='Identity', input=[f'n{i - 1}'])
    view = GraphView(graph_def)

    found = names_of(view.ancestors(['n19999']))

    assert found == [f'n{i}' for i in range(20_000)]
    assert names_of(view.before(['n19999'])) == found[::-1]
    assert view.with_reads('n0') == found
    assert view.behind_reads(view.node('n19999')).name == 'n0'


def test_walks_stop_where_they_are_told_to():
    view = view_of(diamond())

    back = view.before(['both'], lambda node: node.name != 'left')
    on = view.edges_behind(['input'], lambda edge: edge.node.name == 'left')

    assert names_of(back) == ['both', 'left', 'right', 'input', 'both/axis']
    assert [(edge.node.name, edge.position) for edge in on] == [
        ('left', 0),
        ('right', 0),
        ('unused', 0),
        ('both', 0),
    ]


def test_control_inputs_count_only_if_asked_for():
    graph_def = tf.GraphDef()
    graph_def.node.add(name='first', op='NoOp')
    graph_def.node.add(name='x', op='Placeholder')
    graph_def.node.add(name='y', op='Relu', input=['x', '^first'])
    view = GraphView(graph_def)

    assert names_of(view.before(['y'])) == ['y', 'x']
    assert names_of(view.before(['y'], control=True)) == ['y', 'x', 'first']
    assert view_lib.input_names(view.node('y')) == ['x', 'first']
    assert view_lib.control_inputs(view.node('y')) == ['first']


def test_a_loop_comes_with_its_constants_and_its_next_turn():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2], 'input')
        x = tf.while_loop(lambda y: tf.reduce_sum(y) < 9.0, lambda y: y + 1.0, [x])
        tf.identity(x, name='output')

    found = names_of(view_of(graph).ancestors(['output']))

    assert sorted(found) == sorted(n.name for n in graph.as_graph_def().node)
    assert found.index('while/Merge') < found.index('while/NextIteration')
    assert found.index('while/Identity') < found.index('while/add/y')


def test_a_cycle_that_is_no_loop_is_an_error():
    graph_def = tf.GraphDef()
    graph_def.node.add(name='a', op='Relu', input=['b'])
    graph_def.node.add(name='b', op='Relu', input=['a'])

    with pytest.raises(GraphError, match="'a' and 'b' lie on a cycle that is no loop"):
        GraphView(graph_def).ancestors(['a'])


def test_an_unknown_node_offers_the_nearest_names():
    view = view_of(diamond())

    with pytest.raises(GraphError) as caught:
        view.ancestors(['rigth'])

    assert str(caught.value).startswith(
        "No node 'rigth' in the graph. Nearest names: 'right'"
    )


def test_two_nodes_of_one_name_are_refused():
    graph_def = tf.GraphDef()
    for name in ('a', 'b', 'b'):
        graph_def.node.add(name=name, op='NoOp')

    with pytest.raises(GraphError, match="two nodes named 'b'"):
        GraphView(graph_def)


def test_reading_an_attribute_does_not_add_it():
    node = tf.NodeDef(name='n', op='Relu')
    before = node.SerializeToString()

    assert view_lib.attribute(node, 'padding').s == b''
    assert view_lib.attribute(node, 'is_training').b is False
    assert node.SerializeToString() == before


def test_looking_around_does_not_change_the_graph():
    graph_def = diamond().as_graph_def(add_shapes=False)
    before = graph_def.SerializeToString(deterministic=True)
    view = GraphView(graph_def)

    view.shape(TensorRef('both', 0))
    view.consumers('input')
    view.ancestors(['both'])

    assert graph_def.SerializeToString(deterministic=True) == before


def test_consumers_know_position_and_output():
    with tf.Graph().as_default() as graph:
        a, b = tf.split(tf.zeros([4]), 2, name='parts')
        with tf.control_dependencies([a]):
            tf.concat([b, a, b], 0, name='joined')

    found = view_of(graph).consumers('parts')

    assert [(e.node.name, e.position, e.output) for e in found] == [
        ('joined', 0, 1),
        ('joined', 1, 0),
        ('joined', 2, 1),
    ]
    assert view_of(graph).consumers('joined') == []


def test_inputs_leave_out_control_dependencies():
    view = view_of(diamond())

    assert names_of(view.inputs(view.node('right'))) == ['input']
    assert view_lib.data_inputs(view.node('both')) == [
        ('left', 0),
        ('right', 0),
        ('both/axis', 0),
    ]


def test_a_view_holds_its_nodes():
    view = view_of(diamond())

    assert 'left' in view
    assert 'left:0' not in view
    assert names_of(view)[0] == 'input'


@pytest.mark.parametrize('use_resource', [False, True])
def test_plain_reads_of_a_variable_are_followed_both_ways(use_resource):
    with tf.Graph().as_default() as graph:
        w = tf.get_variable('w', [2], use_resource=use_resource)
        tf.identity(tf.identity(w, 'first'), 'second')
        tf.square(w, 'square')
    view = view_of(graph)

    assert view.behind_reads(view.node('second')).name == 'w'
    assert view.behind_reads(view.node('square')).name == 'square'
    assert {'w', 'first', 'second'} < set(view.with_reads('w'))
    assert 'square' not in view.with_reads('w')
