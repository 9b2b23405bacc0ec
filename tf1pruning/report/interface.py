"""What a network takes and gives: names, tensors, types and shapes."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Tuple

from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.meta_graphs.signature import Signatures
from tf1pruning.names import TensorRef
from tf1pruning.report import text

INPUT, OUTPUT = 'input', 'output'


@dataclasses.dataclass(frozen=True)
class End:
    """An input or output of a network.

    Attributes:
      side: 'input' or 'output'.
      name: as others call it.
      tensor: of the graph.
      type: such as 'float32'.
      shape: sizes, None where they are open; None: not even the rank is known.
      signatures: those that have it; none: an input that keeps its default in all.
    """

    side: str
    name: str
    tensor: str
    type: str
    shape: Optional[view_lib.Shape]
    signatures: Tuple[str, ...]


def ends(graph: InferenceGraph, signatures: Signatures) -> List[End]:
    """Inputs, then outputs, each once under each of its names."""
    view = graph.view()
    found: Dict[Tuple[str, str, TensorRef], List[str]] = {}
    for signature in _meant(signatures):
        for side, named in ((INPUT, signature.inputs), (OUTPUT, signature.outputs)):
            for name, ref in named:
                found.setdefault((side, name, ref), []).append(signature.name)
    known = {ref.node for _, _, ref in found}
    for name in graph.inputs:
        if name not in known:
            found[INPUT, name, TensorRef(name, 0)] = []
    return [
        End(side, name, str(ref), view.dtype(ref).name, view.shape(ref), tuple(having))
        for (side, name, ref), having in sorted(found.items(), key=_is_output)
    ]


def _meant(signatures: Signatures) -> Signatures:
    """Without those that are left out."""
    return tuple(each for each in signatures if each.outputs)


def _is_output(item: Tuple[Tuple[str, str, TensorRef], Any]) -> bool:
    return item[0][0] == OUTPUT


def table(title: str, graph: InferenceGraph, signatures: Signatures) -> str:
    """A table of all inputs and outputs under a title.

    It says which signatures they belong to, if there are several.
    """
    rows = [
        [f'{e.side} {e.name}', e.tensor, e.type, _shape(e.shape), *e.signatures]
        for e in ends(graph, signatures)
    ]
    header = [title, 'tensor', 'type', 'shape']
    if len(_meant(signatures)) == 1:
        return text.table(header, [row[:4] for row in rows])
    named = [[*row[:4], ', '.join(map(str, row[4:]))] for row in rows]
    return text.table([*header, 'signatures'], named)


def _shape(shape: Optional[view_lib.Shape]) -> str:
    if shape is None:
        return 'unknown'
    return 'x'.join('?' if size is None else str(size) for size in shape) or 'scalar'
