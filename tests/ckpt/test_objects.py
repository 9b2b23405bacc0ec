from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from tf1pruning.ckpt import objects
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError


def graph_of(*attributes):
    """A serialized object graph; an attribute is a name and a key."""
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    for name, key in attributes:
        graph.nodes.add().attributes.add(full_name=name, checkpoint_key=key)
    return graph.SerializeToString()


def test_keys_by_name_leave_out_what_has_no_name():
    graph = graph_of(('a/w', 'net/w'), ('', 'net/config'), ('a/b', 'net/b'))

    assert objects.keys_by_name(graph) == {'a/w': 'net/w', 'a/b': 'net/b'}


def test_one_variable_below_two_objects_is_one():
    graph = graph_of(('a/w', 'net/w'), ('a/w', 'net/w'))

    assert objects.keys_by_name(graph) == {'a/w': 'net/w'}


def test_variables_of_the_same_name_are_all_listed():
    graph = graph_of(('w', 'one/w'), ('w', 'two/w'), ('v', 'a'), ('v', 'b'), ('x', 'x'))

    with pytest.raises(CheckpointError) as caught:
        objects.keys_by_name(graph)

    assert "'v' is 'a', 'b'; 'w' is 'one/w', 'two/w'." in str(caught.value)
    assert "'x'" not in str(caught.value)


def test_a_damaged_object_graph_is_an_error():
    with pytest.raises(CheckpointError, match='graph of objects is damaged'):
        objects.keys_by_name(b'\xff\xff')


def test_the_error_names_the_checkpoint(tmp_path):
    prefix = str(tmp_path / 'twins')
    with tf.Graph().as_default(), tf.Session() as session:
        save = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=['w', objects.GRAPH_KEY],
            shape_and_slices=['', ''],
            tensors=[tf.constant(1.0), tf.constant(graph_of(('w', 'w'), ('w', 'u')))],
        )
        session.run(save)

    with pytest.raises(CheckpointError, match=r"twins' cannot be read: .* 'u', 'w'"):
        Checkpoint(prefix)
