from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph.meta_graphs import checking


def whole():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [1, 4, 4, 3], name='input')
        y = tf.nn.conv2d(x, tf.ones([3, 3, 3, 2]), padding='SAME', name='conv')
        y = tf.while_loop(lambda z: tf.reduce_sum(z) < 1, lambda z: z + 1, [y])
        tf.concat([y, y], axis=3, name='output')
        return tf.train.export_meta_graph(graph=graph)


def node(meta_graph, name):
    return next(n for n in meta_graph.graph_def.node if n.name == name)


def function(meta_graph, name, op, times=1):
    new = meta_graph.graph_def.library.function.add()
    new.signature.name = name
    new.signature.input_arg.add(name='x', type=tf.float32.as_datatype_enum)
    new.signature.output_arg.add(name='y', type=tf.float32.as_datatype_enum)
    last, output = 'x', 'activations' if op == 'Relu' else 'y'
    for i in range(times):
        inner = new.node_def.add(name=f'n{i}', op=op, input=[last])
        if op == 'Relu':
            inner.attr['T'].type = tf.float32.as_datatype_enum
        last = f'n{i}:{output}:0'
    new.ret['y'] = last


def doubling(meta_graph, levels):
    function(meta_graph, 'f0', 'Relu')
    for i in range(levels):
        function(meta_graph, f'f{i + 1}', f'f{i}', times=2)
    meta_graph.graph_def.node.add(name='call', op=f'f{levels}', input=['input'])


def test_a_whole_graph_passes():
    meta_graph = whole()
    call = meta_graph.graph_def.node.add(name='partitioned', op='PartitionedCall')
    for key in ('Tin', 'Tout'):
        call.attr[key].list.type.append(tf.float32.as_datatype_enum)
    call.attr['f'].func.name = 'f0'
    call.attr['config_proto'].s = b'\xff\xfe'
    call.input.append('input')
    doubling(meta_graph, 11)

    checking.check(meta_graph)


def test_a_wrong_value_is_found_behind_right_ones_of_its_attribute():
    meta_graph = whole()
    for name, dtype in (('a', tf.float32), ('b', tf.float32), ('c', tf.string)):
        relu = meta_graph.graph_def.node.add(name=name, op='Relu', input=['input'])
        relu.attr['T'].type = dtype.as_datatype_enum

    with pytest.raises(GraphError, match=r"'c' \(Relu\) has an attribute 'T' that has"):
        checking.check(meta_graph)


def lose_input(m):
    del node(m, 'conv').input[1]


def read_unknown(m):
    node(m, 'conv').input[0] = 'gone'


def read_further_output(m):
    node(m, 'conv').input[0] = 'input:1'


def read_another_type(m):
    node(m, 'conv').input[1] = 'output/axis'


def wait_first(m):
    node(m, 'conv').input.insert(0, '^input')


def wait_first_in_function(m):
    function(m, 'f', 'Relu')
    m.graph_def.library.function[0].node_def[0].input.insert(0, '^x')
    m.graph_def.node.add(name='call', op='f', input=['input'])


def lose_attribute(m):
    del node(m, 'conv').attr['strides']


def change_kind(m):
    node(m, 'conv').attr['strides'].s = b'SAME'


def spoil_text(m):
    node(m, 'conv').attr['padding'].s = b'\xff\xfe'


def spoil_type(m):
    node(m, 'conv').attr['T'].type = 77


def invent_attribute(m):
    node(m, 'conv').attr['other'].i = 1


def repeat_name(m):
    node(m, 'output').name = 'conv'


def spoil_name(m):
    node(m, 'output').name = 'out put'


def close_a_circle(m):
    node(m, 'conv').input.append('^output')


def shorten_value(m):
    tensor = node(m, 'output/axis').attr['value'].tensor
    tensor.int_val.extend([1, 2, 3])


def fill_memory(m):
    value = node(m, 'output/axis').attr['value'].tensor
    value.tensor_shape.dim.add(size=1 << 40)
    del node(m, 'output/axis').attr['_output_shapes']


def grow(m):
    sizes = tf.make_tensor_proto([10**6, 10**6], tf.int32)
    constant = m.graph_def.node.add(name='sizes', op='Const')
    constant.attr['value'].tensor.CopyFrom(sizes)
    constant.attr['dtype'].type = tf.int32.as_datatype_enum
    fill = m.graph_def.node.add(name='fill', op='Fill', input=['sizes', 'output/axis'])
    for key in ('T', 'index_type'):
        fill.attr[key].type = tf.int32.as_datatype_enum


def grow_in_function(m):
    function(m, 'f', 'Relu')
    body = m.graph_def.library.function[0].node_def
    length = tf.make_tensor_proto(2 * 10**9, tf.int32)
    constant = body.add(name='length', op='Const')
    constant.attr['value'].tensor.CopyFrom(length)
    constant.attr['dtype'].type = tf.int32.as_datatype_enum
    array = body.add(name='array', op='TensorArrayV3', input=['length:output:0'])
    array.attr['dtype'].type = tf.float32.as_datatype_enum
    m.graph_def.node.add(name='call', op='f', input=['input'])


def count(op, attribute):
    def change(m):
        new = m.graph_def.node.add(name='many', op=op, input=['input'])
        new.attr['T'].type = tf.float32.as_datatype_enum
        new.attr[attribute].i = 10**12

    return change


def call_itself(m):
    function(m, 'f', 'f')
    m.graph_def.node.add(name='call', op='f', input=['input'])


def call_unknown(m):
    call = m.graph_def.node.add(name='call', op='PartitionedCall', input=['input'])
    for key in ('Tin', 'Tout'):
        call.attr[key].list.type.append(tf.float32.as_datatype_enum)
    call.attr['f'].func.name = 'gone'


def come_from_later(m):
    m.graph_def.versions.min_consumer = 10**6


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lose_input, r"'conv' \(Conv2D\) has 1 inputs; expected 2"),
        (read_unknown, r"'conv' .*reads 'gone', which is not in the graph"),
        (read_further_output, r"'conv' .*reads 'input:1'; 'input' has 1 outputs"),
        (read_another_type, r"'conv' .*reads int32 as input 1; expected float32"),
        (wait_first, r"'conv' .*behind '\^input'"),
        (wait_first_in_function, r"'n0' .*of function 'f' reads 'x' behind a control"),
        (lose_attribute, r"'conv' .*lacks the attribute 'strides'"),
        (change_kind, r"'conv' .*'strides' that is no"),
        (spoil_text, r"'conv' .*'padding' that has the value"),
        (spoil_type, r"'conv' .*'T' that has the value 77"),
        (invent_attribute, r"'conv' .*'other', which 'Conv2D' does not have"),
        (repeat_name, r"two nodes named 'conv'"),
        (spoil_name, r"'out put' .*a name that TensorFlow does not take"),
        (close_a_circle, r"'conv'.* lie on a cycle"),
        (shorten_value, r"'output/axis' .*has 4 values; expected 1"),
        (fill_memory, r"'output/axis' .*is too large"),
        (grow, r"'fill' \(Fill\) makes a tensor of \[1000000, 1000000\]"),
        (grow_in_function, r"'array' .*of function 'f' makes a list of 2,000,000,000"),
        (
            count('AddN', 'N'),
            r"'many' \(AddN\) .*'N' that is 1000000000000, above 65536",
        ),
        (count('Unpack', 'num'), r"'many' \(Unpack\) .*'num' that is .*, above 65536"),
        (call_itself, r"function 'f' calls itself"),
        (call_unknown, r"'call' .*function 'gone', which is not in the graph"),
        (lambda m: doubling(m, 13), r'the graph has more than 8,192 nodes'),
        (come_from_later, r'graphs of version 1000000'),
    ],
)
def test_what_tensorflow_would_refuse_or_crash_on_is_named(change, message):
    meta_graph = whole()
    change(meta_graph)

    with pytest.raises(GraphError, match=message):
        checking.check(meta_graph)
