"""Refuses assignments that the outputs need, since a frozen graph has no variables.

Assignments beside the network go. One whose result the network reads is part of it and
is refused by name. Only the ranges that quantization-aware training follows (Jacob et
al., arXiv 1712.05877) are read from their variables, as in its evaluation graph.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Set

import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import pipelines
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference.batch_norm import ASSIGN_OPS, variable_behind
from tf1pruning.graph.nodes import INPUT_OPS
from tf1pruning.graph.variables import VARIABLE_OPS
from tf1pruning.names import TensorRef

_RANGED_OPS = ('FakeQuantWithMinMaxVars', 'FakeQuantWithMinMaxVarsPerChannel')
_GROUPING_OPS = ('Identity', 'NoOp')


def range_variable(
    view: view_lib.GraphView, node: tf.NodeDef, ref: TensorRef
) -> Optional[str]:
    """The variable of a quantization range, if a node reads `ref`, which updates it."""
    source = view.node(ref.node)
    if node.op not in _RANGED_OPS or source.op not in ASSIGN_OPS:
        return None
    return _variable(view, source)


def refuse(view: view_lib.GraphView, needed: Set[str]) -> None:
    """Refuses assignments whose result the outputs need.

    What is assigned from the input of the network belongs to the training, so a read
    behind it is left as a read of the variable.

    Raises:
      GraphError: names all of them.
    """
    found: Dict[str, str] = {}
    for node in view:
        if node.name not in needed:
            continue
        if node.op in ASSIGN_OPS:
            found[node.name] = _variable(view, node)
        for assign in _waited_for(view, node):
            variable = _variable(view, assign)
            if variable in _read(view, node) and not _has_input(view, assign):
                found[assign.name] = variable
    if found:
        listed = [f'{name!r} to {variable!r}' for name, variable in found.items()]
        raise GraphError(
            f'The outputs need assignments: {"; ".join(listed)}. A frozen graph has no '
            'variables that change. Give an inference graph that reads the variables '
            'as they are, or name outputs before the assignments.'
        )


def _waited_for(view: view_lib.GraphView, node: tf.NodeDef) -> List[tf.NodeDef]:
    """The assignments that a node has as control inputs, also in a group."""
    waited = view_lib.control_inputs(node)
    if not waited:
        return []
    found = view.before(waited, lambda each: each.op in _GROUPING_OPS, control=True)
    return [each for each in found if each.op in ASSIGN_OPS]


def _variable(view: view_lib.GraphView, assign: tf.NodeDef) -> str:
    return variable_behind(view, assign.input[0])


def _read(view: view_lib.GraphView, node: tf.NodeDef) -> List[str]:
    """The variables that a node reads, directly or through plain reads."""
    sources = [view.behind_reads(source) for source in view.inputs(node)]
    return [source.name for source in sources if source.op in VARIABLE_OPS]


def _has_input(view: view_lib.GraphView, assign: tf.NodeDef) -> bool:
    """Whether what is assigned depends on an input of the network."""
    return any(
        node.op in INPUT_OPS or pipelines.ends_pipeline(view, node.name)
        for node in view.before(ref.node for ref in view.refs(assign)[1:])
    )
