"""Which nodes run in which loops."""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.graph import frames


def test_nodes_after_an_inner_loop_are_in_the_outer_one():
    def outer(i, y):
        z = tf.while_loop(lambda j, z: j < 2, inner, [0, y], name='inner')[1]
        return i + 1, tf.identity(z, name='after')

    def inner(j, z):
        return j + 1, tf.identity(z, name='innermost')

    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [], name='x')
        y = tf.while_loop(lambda i, y: i < 2, outer, [0, x], name='outer')[1]
        tf.identity(y, name='y')

    nodes = {node.name: node for node in graph.as_graph_def().node}
    ordered = frames.inputs_first(
        ['y'], nodes.__getitem__, frames.nodes_inside(graph.as_graph_def())
    )
    found = frames.loops_around(ordered)

    assert 'x' not in found and 'y' not in found
    (loop,) = found['outer/after']
    assert len(found['outer/inner/innermost']) == 2
    assert found['outer/inner/innermost'][0] == loop
