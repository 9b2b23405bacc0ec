from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import saved_object_graph_pb2, trackable_object_graph_pb2

from tf1pruning.ckpt import objects
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.ckpt.objects import Objects, SavedObjects
from tf1pruning.errors import CheckpointError


def graph_of(*attributes):
    """A serialized object graph; an attribute is a name and a key.

    All objects are children of the first, which has no attribute, under their keys.
    """
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    root = graph.nodes.add()
    for number, (name, key) in enumerate(attributes, start=1):
        graph.nodes.add().attributes.add(full_name=name, checkpoint_key=key)
        root.children.add(node_id=number, local_name=key)
    return graph.SerializeToString()


def saved_of(numbers, *children):
    """Objects of a SavedModel below the root: number -> local name."""
    graph = saved_object_graph_pb2.SavedObjectGraph()
    for _ in range(4):
        graph.nodes.add()
    for number, name in children:
        graph.nodes[0].children.add(node_id=number, local_name=name)
    return SavedObjects(graph, numbers)


@pytest.fixture
def written(tmp_path):
    """Writes a checkpoint of objects: key -> number, and (name, key) of each."""

    def write(values, *attributes):
        prefix = str(tmp_path / 'objects')
        with tf.Graph().as_default(), tf.Session() as session:
            save = tf.raw_ops.SaveV2(
                prefix=prefix,
                tensor_names=[*values, objects.GRAPH_KEY],
                shape_and_slices=[''] * (len(values) + 1),
                tensors=[
                    *map(tf.constant, values.values()),
                    tf.constant(graph_of(*attributes)),
                ],
            )
            session.run(save)
        return prefix

    return write


def test_keys_by_name_leave_out_what_has_no_name():
    found = Objects(graph_of(('a/w', 'net/w'), ('', 'net/config'), ('a/b', 'net/b')))

    assert found.keys_by_name() == {'a/w': ['net/w'], 'a/b': ['net/b']}


def test_one_variable_below_two_objects_is_one():
    found = Objects(graph_of(('a/w', 'net/w'), ('a/w', 'net/w')))

    assert found.keys_by_name() == {'a/w': ['net/w']}


def test_a_damaged_object_graph_is_an_error():
    with pytest.raises(CheckpointError, match='graph of objects is damaged'):
        Objects(b'\xff\xff')


def test_variables_of_the_same_name_and_other_values_are_all_listed(written):
    prefix = written(
        {'one/w': 1.0, 'two/w': 2.0, 'a': 3.0, 'b': 4.0, 'x': 5.0},
        ('w', 'one/w'),
        ('w', 'two/w'),
        ('v', 'a'),
        ('v', 'b'),
        ('x', 'x'),
    )

    with pytest.raises(CheckpointError, match=r"objects' cannot be read: ") as caught:
        Checkpoint(prefix)

    assert "'v' is 'a', 'b'; 'w' is 'one/w', 'two/w'." in str(caught.value)
    assert "'x'" not in str(caught.value)


def test_arrays_that_are_equal_are_one_variable(written):
    prefix = written({'w': 1.0, '_all/w': 1.0}, ('net/w', 'w'), ('net/w', '_all/w'))

    found = Checkpoint(prefix)

    assert list(found) == ['net/w']
    assert found['net/w'] == np.float32(1.0)


def test_the_objects_of_a_saved_model_know_their_nodes(written):
    prefix = written(
        {'one': 1.0, 'two': 2.0, 'slot': 3.0, 'other': 4.0},
        ('Variable', 'one'),
        ('Variable', 'two'),
        ('slot', 'slot'),
        ('other', 'other'),
    )
    saved = saved_of(
        {'Variable': 3, 'Variable_1': 2, 'unknown': 1}, (3, 'one'), (2, 'two'), (9, 'x')
    )

    found = Checkpoint(prefix, saved)

    assert {name: float(found[name]) for name in found} == {
        'Variable': 1.0,
        'Variable_1': 2.0,
        'slot': 3.0,
        'other': 4.0,
    }
