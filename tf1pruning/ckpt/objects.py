"""Object-based checkpoints, as tf.keras and `tf.train.Checkpoint` write them.

Their keys are paths through Python objects, such as
`layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE`. A graph of these objects lies
in the checkpoint and knows what the variables are called; that of a SavedModel knows
which object a node of its graph is.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple

from google.protobuf import message
from tensorflow.core.protobuf import saved_object_graph_pb2, trackable_object_graph_pb2

from tf1pruning.errors import CheckpointError

GRAPH_KEY = '_CHECKPOINTABLE_OBJECT_GRAPH'
_ROOT = 0


class SavedObjects(NamedTuple):
    """The objects of a SavedModel.

    Attributes:
      graph: of objects; those of the checkpoint are among them, by the same paths.
      numbers: variable node -> number of its object.
    """

    graph: saved_object_graph_pb2.SavedObjectGraph
    numbers: Mapping[str, int]


class Objects:
    """The objects of a checkpoint.

    Args:
      serialized: value of `GRAPH_KEY`.

    Raises:
      CheckpointError: if it is damaged.
    """

    def __init__(self, serialized: bytes):
        self._graph = trackable_object_graph_pb2.TrackableObjectGraph()
        try:
            self._graph.ParseFromString(serialized)
        except message.DecodeError as error:
            raise CheckpointError('Its graph of objects is damaged.') from error

    def keys_by_name(self) -> Dict[str, List[str]]:
        """Variable name -> keys of the variables of that name.

        State that is no variable has no name and is left out.
        """
        found: Dict[str, List[str]] = {}
        for node in self._graph.nodes:
            for attribute in node.attributes:
                keys = found.setdefault(attribute.full_name, [])
                if attribute.checkpoint_key not in keys:
                    keys.append(attribute.checkpoint_key)
        found.pop('', None)
        return found

    def keys_by_node(self, saved: SavedObjects) -> Dict[str, str]:
        """Variable node of a SavedModel -> key of its object, if that has only one."""
        same = self._same(saved.graph)
        found = {}
        for node, number in saved.numbers.items():
            own = self._graph.nodes[same[number]].attributes if number in same else ()
            if len(own) == 1:
                found[node] = own[0].checkpoint_key
        return found

    def _same(self, other: saved_object_graph_pb2.SavedObjectGraph) -> Dict[int, int]:
        """Number of an object in another graph -> that here; both share their paths."""
        own, others = dict(enumerate(self._graph.nodes)), dict(enumerate(other.nodes))
        found = {_ROOT: _ROOT} if own and others else {}
        waiting = list(found)
        while waiting:
            number = waiting.pop()
            here = {c.local_name: c.node_id for c in own[found[number]].children}
            for child in others[number].children:
                there = here.get(child.local_name)
                if there in own and child.node_id in others.keys() - found.keys():
                    found[child.node_id] = there
                    waiting.append(child.node_id)
        return found
