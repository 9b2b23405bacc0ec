"""Cuts a graph at tensors that are to be its inputs, and fixes their shapes."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import pipelines
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.nodes import INPUT_OPS, OUTPUT_SHAPES
from tf1pruning.names import TensorRef


class Input(NamedTuple):
    """A tensor that is to be an input.

    Attributes:
      ref: the tensor.
      shape: its sizes, None where they stay open; None: those that it has.
    """

    ref: TensorRef
    shape: Optional[view_lib.Shape]


def parse_inputs(texts: Sequence[str]) -> List[Input]:
    """Parses tensors with their shapes.

    >>> parse_inputs(['image=1,224,224,3', 'size=?,2;mask'])[1]
    Input(ref=TensorRef(node='size', output=0), shape=(None, 2))

    Args:
      texts: each one or more of `name` or `name=sizes`, separated by semicolons.

    Raises:
      GraphError: names all that is not of that form, and tensors that come twice.
    """
    found, wrong = [], []
    for text in ';'.join(texts).split(';') if texts else []:
        name, has_shape, sizes = (part.strip() for part in text.partition('='))
        shape = _shape(sizes) if has_shape else None
        if not name or (has_shape and shape is None):
            wrong.append(text)
        else:
            found.append(Input(names.parse_tensor(name), shape))
    refs = [str(each.ref) for each in found]
    wrong += sorted({ref for ref in refs if refs.count(ref) > 1})
    if wrong:
        raise GraphError(
            f'Input tensors {names.quoted(wrong)}: expected each tensor once, in the '
            "form name=1,224,224,3, with '?' for an open size."
        )
    return found


def _shape(text: str) -> Optional[view_lib.Shape]:
    """Sizes, or None if the text holds something else."""
    parts = [part.strip() for part in text.split(',')] if text else []
    if not all(part == '?' or (part.isdigit() and int(part)) for part in parts):
        return None
    return tuple(None if part == '?' else int(part) for part in parts)


def cut(graph: tf.MetaGraphDef, inputs: Sequence[Input]) -> tf.MetaGraphDef:
    """Puts placeholders in the place of tensors.

    A placeholder has the name of the node whose place it takes; if other outputs of
    that node are read, too, it is called `node_1` for output 1. Signatures name the
    placeholders.

    Args:
      graph: the graph; not changed.
      inputs: the tensors.

    Returns:
      A graph without static shapes: they have to be inferred again.

    Raises:
      GraphError: names all tensors that do not exist or have other shapes.
    """
    view = view_lib.GraphView(graph.graph_def)
    _check(view, inputs)
    taken = {node.name for node in view}
    replaced: Dict[str, tf.NodeDef] = {}
    redirected: Dict[TensorRef, str] = {}
    for ref, shape in inputs:
        name = ref.node if _is_alone(view, ref) else names.claim(_split(ref), taken)
        known = view.shape(ref) if shape is None else shape
        replaced[name] = derivation.placeholder(name, view.dtype(ref), known)
        redirected[ref] = name
    result = tf.MetaGraphDef()
    result.CopyFrom(graph)
    del result.graph_def.node[:]
    for node in view:
        new = result.graph_def.node.add()
        new.CopyFrom(replaced.pop(node.name, node))
        new.attr.pop(OUTPUT_SHAPES, None)
        for position, name in enumerate(new.input):
            if not names.is_control(name):
                new.input[position] = redirected.get(names.parse_tensor(name), name)
    result.graph_def.node.extend(replaced.values())
    for signature in result.signature_def.values():
        for info in signature.inputs.values():
            fed = names.parse_tensor(info.name) if info.name else None
            if fed in redirected:
                info.name = f'{redirected[fed]}:0'
    return result


def inside(graph: tf.MetaGraphDef, signature: str, others: bool) -> List[Input]:
    """What a signature feeds in the middle of a graph, sorted.

    Nothing, if the graph has no such signature or feeds placeholders only.

    Args:
      graph: any.
      signature: its name.
      others: whether other signatures count, too, where they feed what the input
        pipeline gives; it is cut there anyway.
    """
    if not graph.signature_def:
        return []
    view = view_lib.GraphView(graph.graph_def)
    refs = set()
    for name in graph.signature_def if others else {signature} & {*graph.signature_def}:
        infos = graph.signature_def[name].inputs.values()
        found = {names.parse_tensor(info.name) for info in infos if info.name}
        refs |= {
            ref
            for ref in found
            if ref.node in view
            if name == signature or pipelines.ends_pipeline(view, ref.node)
        }
    kept = [ref for ref in sorted(refs) if view.node(ref.node).op not in INPUT_OPS]
    return [Input(ref, None) for ref in kept]


def _check(view: view_lib.GraphView, inputs: Sequence[Input]) -> None:
    problems = []
    for ref, shape in inputs:
        if ref.node not in view:
            problems.append(
                f'no tensor {str(ref)!r} in the graph. {_nearest(view, ref.node)}'
            )
        elif not view.has_tensor(ref):
            problems.append(f'node {ref.node!r} has no output {ref.output}.')
        elif not view_lib.agree(shape, view.shape(ref)):
            problems.append(
                f'{str(ref)!r} has shape {view.shape(ref)}; {shape} does not fit.'
            )
    if problems:
        raise GraphError(f'Input tensors: {" ".join(problems)}')


def _nearest(view: view_lib.GraphView, name: str) -> str:
    hint = names.did_you_mean(name, [node.name for node in view])
    ends = [
        node.name
        for node in view
        if pipelines.ends_pipeline(view, node.name)
        and view.dtype(TensorRef(node.name, 0)) not in (tf.resource, tf.variant)
    ]
    return f'{hint} Its pipeline ends at {names.quoted(ends)}.' if ends else hint


def _is_alone(view: view_lib.GraphView, ref: TensorRef) -> bool:
    """Whether no other output of the tensor's node is read."""
    outputs = {edge.output for edge in view.consumers(ref.node)}
    return ref.output == 0 and outputs <= {0}


def _split(ref: TensorRef) -> str:
    return f'{ref.node}_{ref.output}'


def check_used(inputs: Sequence[str], given: Sequence[Input]) -> None:
    """Checks that the tensors `given` are among the `inputs` of the model.

    Raises:
      GraphError: names those that its outputs do not need.
    """
    unused = [
        str(ref)
        for ref, _ in given
        if ref.node not in inputs and _split(ref) not in inputs
    ]
    if unused:
        raise GraphError(
            f'The outputs do not depend on the input tensors {names.quoted(unused)}; '
            f'they depend on {names.quoted(inputs)}. Name tensors before the outputs.'
        )
