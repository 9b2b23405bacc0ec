"""Object-based checkpoints, as tf.keras and `tf.train.Checkpoint` write them.

Their keys are paths through Python objects, such as
`layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE`. A graph of these objects lies
in the checkpoint and knows what the variables are called.
"""

from __future__ import annotations

from typing import Dict, List

from google.protobuf import message
from tensorflow.core.protobuf import trackable_object_graph_pb2

from tf1pruning.errors import CheckpointError

GRAPH_KEY = '_CHECKPOINTABLE_OBJECT_GRAPH'


def keys_by_name(serialized: bytes) -> Dict[str, str]:
    """Variable name -> checkpoint key, of all variables of an object graph.

    State that is no variable has no name and is left out.

    Args:
      serialized: value of `GRAPH_KEY`.

    Raises:
      CheckpointError: if it is damaged, or two variables have the same name.
    """
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    try:
        graph.ParseFromString(serialized)
    except message.DecodeError as error:
        raise CheckpointError('Its graph of objects is damaged.') from error
    found: Dict[str, List[str]] = {}
    for node in graph.nodes:
        for attribute in node.attributes:
            if attribute.full_name:
                keys = found.setdefault(attribute.full_name, [])
                keys.append(attribute.checkpoint_key)
    several = [
        f'{name!r} is {", ".join(map(repr, sorted(set(keys))))}'
        for name, keys in sorted(found.items())
        if len(set(keys)) > 1
    ]
    if several:
        raise CheckpointError(
            'Variables of the same name cannot be told apart: '
            f'{"; ".join(several)}. Save with tf.train.Saver, or give each variable a '
            'name of its own.'
        )
    return {name: keys[0] for name, keys in found.items()}
