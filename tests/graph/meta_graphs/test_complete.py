"""What a file leaves out of a graph is put back when the file is read."""

from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph import op_defs
from tf1pruning.graph.meta_graphs import complete, meta_graph, saved_model


def leaky_graph():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.layers.batch_normalization(x, training=True, name='norm')
        tf.identity(tf.nn.leaky_relu(x), name='output')
    return graph


def exported(graph, strip):
    return tf.train.export_meta_graph(graph=graph, strip_default_attrs=strip)


def test_attributes_at_their_defaults_come_back():
    stripped = exported(leaky_graph(), True)
    found = {node.op: node for node in stripped.graph_def.node}
    assert 'alpha' not in found['LeakyRelu'].attr
    assert 'is_training' not in found['FusedBatchNormV3'].attr

    complete.complete(stripped)

    assert stripped.graph_def == exported(leaky_graph(), False).graph_def
    assert round(found['LeakyRelu'].attr['alpha'].f, 3) == 0.2
    assert found['FusedBatchNormV3'].attr['is_training'].b


def test_a_graph_that_says_all_stays_as_it_is():
    whole = exported(leaky_graph(), False)

    complete.complete(whole)

    assert whole == exported(leaky_graph(), False)


def test_the_first_output_of_a_node_has_one_name():
    given = exported(leaky_graph(), False)
    for node in given.graph_def.node:
        long = [i if ':' in i or i[0] == '^' else f'{i}:0' for i in node.input]
        del node.input[:]
        node.input.extend(long)

    complete.complete(given)

    assert given.graph_def == exported(leaky_graph(), False).graph_def


def test_an_unknown_op_gets_the_defaults_that_the_file_gives():
    given = tf.MetaGraphDef()
    given.graph_def.node.add(name='output', op='MyOp')
    given.graph_def.node.add(name='leaky', op='LeakyRelu')
    definition = given.meta_info_def.stripped_op_list.op.add(name='MyOp')
    definition.attr.add(name='slope').default_value.f = 0.5
    definition.attr.add(name='T')

    complete.complete(given)

    node, leaky = given.graph_def.node
    assert dict(node.attr) == {'slope': attr_value_pb2.AttrValue(f=0.5)}
    assert 'alpha' in leaky.attr


def test_the_nodes_of_functions_are_completed_too():
    given = tf.MetaGraphDef()
    function = given.graph_def.library.function.add()
    function.node_def.add(name='leaky', op='LeakyRelu', input=['x:y:0'])

    complete.complete(given)

    (found,) = function.node_def
    assert 'alpha' in found.attr
    assert list(found.input) == ['x:y:0']


def test_every_reader_completes_what_it_reads(tmp_path):
    with leaky_graph().as_default() as graph, tf.Session() as session:
        exported_to = str(tmp_path / 'model.meta')
        tf.train.export_meta_graph(exported_to, strip_default_attrs=True)
        builder = tf.saved_model.builder.SavedModelBuilder(str(tmp_path / 'saved'))
        session.run(tf.global_variables_initializer())
        builder.add_meta_graph_and_variables(
            session, ['serve'], strip_default_attrs=True
        )
        builder.save()
        frozen = exported(graph, True).graph_def.SerializeToString()
    (tmp_path / 'frozen.pb').write_bytes(frozen)

    read = (
        meta_graph.read_meta_graph(exported_to),
        saved_model.read_saved_model(str(tmp_path / 'saved'), ('serve',)),
        saved_model.read_frozen(str(tmp_path / 'frozen.pb')),
    )

    for each in read:
        found = {n.op for n in each.graph_def.node if 'alpha' in n.attr}
        assert found == {'LeakyRelu'}


def test_a_training_graph_without_defaults_is_the_same_model():
    graph = networks.inverted_residual_net(is_training=True, optimizer='adam')
    stripped = exported(graph, True)

    complete.complete(stripped)

    assert stripped.graph_def == exported(graph, False).graph_def


def test_ops_that_tensorflow_does_not_know_have_no_definition():
    found = op_defs.op_defs(['Relu', 'MyOp', 'LeakyRelu'])

    assert sorted(found) == ['LeakyRelu', 'Relu']


def test_an_empty_frozen_graph_is_named(tmp_path):
    (tmp_path / 'empty.pb').write_bytes(b'')

    with pytest.raises(GraphError, match=r"empty\.pb' holds no nodes"):
        saved_model.read_frozen(str(tmp_path / 'empty.pb'))


def test_devices_go_also_those_in_functions():
    with tf.Graph().as_default() as graph:
        data = tf.data.Dataset.from_tensors(1.0).map(lambda x: x + 1)
        with tf.device('/job:ps/task:1'):
            data.make_one_shot_iterator().get_next(name='output')
    meta = tf.train.export_meta_graph(graph=graph)
    for function in meta.graph_def.library.function:
        for node in function.node_def:
            node.device = '/job:chief/task:0/device:CPU:0'
    found = meta.graph_def

    complete.complete(meta)

    placed = [*found.node, *(n for f in found.library.function for n in f.node_def)]
    assert len(placed) > len(found.node)
    assert not any(node.device for node in placed)


def old_graph(producer, noted):
    """A placeholder as TensorFlow up to 1.0 writes it, and its shape as noted."""
    given = tf.MetaGraphDef()
    given.graph_def.versions.producer = producer
    node = given.graph_def.node.add(name='input', op='Placeholder')
    node.attr['dtype'].type = tf.float32.as_datatype_enum
    node.attr['shape'].shape.SetInParent()
    if noted is not None:
        proto = tf.TensorShape(noted).as_proto()
        node.attr['_output_shapes'].list.shape.add().CopyFrom(proto)
    return given


@pytest.mark.parametrize(
    ('producer', 'noted', 'expected'),
    [
        (21, [None, 64], tf.TensorShape([None, 64])),
        (21, [], tf.TensorShape([])),
        (21, None, tf.TensorShape(None)),
        (22, None, tf.TensorShape([])),
    ],
)
def test_an_old_placeholder_has_the_shape_that_was_noted(producer, noted, expected):
    given = old_graph(producer, noted)
    complete.complete(given)

    (node,) = given.graph_def.node

    assert node.attr['shape'].shape == expected.as_proto()
