"""Random ops -> ops that draw the same numbers again when a step is run again.

A random op goes on from where its session left it, whatever its seed is. Its stateless
twin draws by a number of its own and the number of the step, which is fed.
"""

from __future__ import annotations

import itertools
from typing import List, Set

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import draws, nodes

# Random op -> its twin, whose second input is a seed.
_TWINS = {
    'RandomStandardNormal': 'StatelessRandomNormal',
    'RandomUniform': 'StatelessRandomUniform',
    'RandomUniformInt': 'StatelessRandomUniformInt',
    'TruncatedNormal': 'StatelessTruncatedNormal',
}


def repeatable(graph_def: tf.GraphDef, step: str) -> tf.GraphDef:
    """The graph with its random numbers, such as those of dropout, fixed for each step.

    Args:
      graph_def: not changed. Its functions stay as they are.
      step: name for a placeholder, an integer scalar.

    Raises:
      GraphError: names the random ops that have no twin.
    """
    others = [n for n in graph_def.node if draws.is_random(n) and n.op not in _TWINS]
    found = [f'{node.name!r} ({node.op})' for node in others]
    if found:
        raise GraphError(
            f'Random ops cannot be made to repeat their numbers: {", ".join(found)}. '
            f'Expected none but {", ".join(_TWINS)}.'
        )
    taken = {node.name for node in graph_def.node} | {step}
    placeholder = nodes.make_node(step, 'Placeholder', dtype=tf.int32)
    placeholder.attr['shape'].shape.SetInParent()
    result = nodes.with_nodes(graph_def, [placeholder])
    number = itertools.count()
    for node in graph_def.node:
        is_random = node.op in _TWINS
        result.node.extend(
            _twin(node, next(number), step, taken) if is_random else [node]
        )
    return result


def _twin(
    node: tf.NodeDef, number: int, step: str, taken: Set[str]
) -> List[tf.NodeDef]:
    """The stateless op under the name of the random one, and its seed."""
    own = nodes.constant(names.claim(f'{node.name}/own', taken), number, tf.int32)
    both = [own.name, step]
    seed = nodes.make_node(
        names.claim(f'{node.name}/seed', taken), 'Pack', both, T=tf.int32
    )
    seed.attr['N'].i = len(both)
    inputs = [node.input[0], seed.name, *node.input[1:]]
    twin = nodes.make_node(node.name, _TWINS[node.op], inputs, Tseed=tf.int32)
    twin.attr['T'].CopyFrom(node.attr['T'])
    drawn = 'Tout' if 'Tout' in node.attr else 'dtype'
    twin.attr['dtype'].CopyFrom(node.attr[drawn])
    return [own, seed, twin]
