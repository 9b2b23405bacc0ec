"""Refuses what cannot be turned into inference, with the names of the nodes."""

from __future__ import annotations

from typing import Dict, List, Mapping, Set

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.variables import RESOURCE_OPS


def refuse_calls(refused: Mapping[str, str], needed: Set[str]) -> None:
    """Refuses function calls that could not be inlined.

    Args:
      refused: name of a call -> why.
      needed: names of the nodes that the outputs need.

    Raises:
      GraphError: names all of them.
    """
    found = [f'{name!r}: {refused[name]}' for name in refused if name in needed]
    if found:
        raise GraphError(
            f'Function calls that cannot be inlined lie before the outputs: '
            f'{"; ".join(found)}. Name an input behind them in the input map, or '
            'outputs before them.'
        )


def refuse_loops(view: view_lib.GraphView, needed: Set[str]) -> None:
    """Refuses loops that carry variables, and do not only read their values.

    Raises:
      GraphError: names all of them, and where they end.
    """
    found: Dict[str, None] = {}
    exits: List[str] = []
    for node in view:
        if node.name not in needed:
            continue
        if node.op in ('Enter', 'RefEnter'):
            entering = view.node(view_lib.data_inputs(node)[0].node)
            if entering.op in RESOURCE_OPS:
                frame = node.attr['frame_name'].s.decode('utf-8')
                found[frame.replace('/while_context', '')] = None
        elif node.op in ('Exit', 'RefExit'):
            exits.append(f'{node.name}:0')
    if found:
        raise GraphError(
            'The outputs depend on loops (tf.while_loop) that take variables, and not '
            f'only their values, from turn to turn: {names.quoted(list(found))}. A '
            'constant cannot take their place in a frozen graph. Read the variables '
            'before the loop, or name an input behind it in the input map (loops end '
            f'in {names.quoted(exits)}), or outputs before it.'
        )
