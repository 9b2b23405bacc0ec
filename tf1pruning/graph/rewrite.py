"""GraphDef -> GraphDef with other sizes: variables, constants, shape constants.

`resize` returns a new model. Static shapes that a Saver left on the nodes are
dropped, since they describe the old sizes.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import attr_value_pb2

from tf1pruning import names
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.variables import VARIABLE_OPS
from tf1pruning.names import TensorRef


class NewSize(NamedTuple):
    """Element `element` of the constant that `consumer` reads becomes `value`."""

    consumer: str
    position: int
    node: str
    element: int
    value: int


class NewConstant(NamedTuple):
    """The constant that `consumer` reads as input `position` becomes `value`."""

    consumer: str
    position: int
    value: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Resizing:
    """New sizes for a graph.

    Attributes:
      shapes: variable node -> new shape.
      constants: Const node that acts as a weight, or node that computes one and becomes
        a constant -> new array.
      sizes: constants that hold a size and must follow.
      replaced: constants that change as a whole.
      forgotten: node -> its attribute that states a shape of before.
    """

    shapes: Mapping[str, Tuple[int, ...]] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    sizes: Sequence[NewSize] = ()
    replaced: Sequence[NewConstant] = ()
    forgotten: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def nodes(self) -> Set[str]:
        """The nodes that it changes, or whose inputs it changes."""
        found = {*self.shapes, *self.constants, *self.forgotten}
        found.update(constant.consumer for constant in self.replaced)
        for size in self.sizes:
            found.update((size.consumer, size.node))
        return found


def resize(
    model: graph_lib.InferenceGraph, resizing: Resizing
) -> graph_lib.InferenceGraph:
    """A model with new sizes.

    Args:
      model: the model; not changed.
      resizing: names nodes that the model has.

    Returns:
      A model with the same node names, plus one Const per rewritten size vector, and
      without what computed a weight that is a constant now.
    """
    shapes = resizing.shapes
    found = [*_resized(model.graph_def, resizing.sizes), *resizing.replaced]
    view = model.view()
    folded = folded_nodes(model, resizing)
    named = _named(found, view)
    graph_def = nodes.with_nodes(
        model.graph_def,
        (
            each
            for n in view
            for each in (*named.get(n.name, {}).values(), folded.get(n.name, n))
        ),
    )
    for node in graph_def.node:
        node.attr.pop(nodes.OUTPUT_SHAPES, None)
        own = {} if node.name in folded else named.get(node.name, {})
        for position, constant in own.items():
            node.input[position] = constant.name
        for key, value in _attributes(node, resizing).items():
            node.attr[key].CopyFrom(value)
        if node.op == 'Squeeze' and not node.attr['squeeze_dims'].list.i:
            node.attr['squeeze_dims'].list.i.extend(_squeezed(view, node.name))
    variables = tuple(
        dataclasses.replace(v, shape=shapes[v.node], full_shape=shapes[v.node])
        if v.node in shapes
        else v
        for v in model.variables
    )
    if folded:
        graph_def = graph_lib.needed(graph_def, model.outputs)
        left = {node.name for node in graph_def.node}
        variables = tuple(v for v in variables if v.node in left)
    return dataclasses.replace(model, graph_def=graph_def, variables=variables)


def folded_nodes(
    model: graph_lib.InferenceGraph, resizing: Resizing
) -> Dict[str, tf.NodeDef]:
    """Node that computes a weight and becomes a constant -> the constant."""
    view = model.view()
    return {
        name: nodes.constant(name, array, view.dtype(TensorRef(name, 0)))
        for name, array in resizing.constants.items()
        if view.node(name).op != 'Const'
    }


def _squeezed(view: view_lib.GraphView, name: str) -> List[int]:
    """Axes of size 1 before the change: those that a Squeeze of all of them drops."""
    shape = view.shape(view.refs(view.node(name))[0])
    if shape is None or None in shape:
        return []
    return [axis for axis, size in enumerate(shape) if size == 1]


def _attributes(
    node: tf.NodeDef, resizing: Resizing
) -> Dict[str, attr_value_pb2.AttrValue]:
    """The attributes that get another value."""
    shape, array = resizing.shapes.get(node.name), resizing.constants.get(node.name)
    if shape is not None and node.op in VARIABLE_OPS:
        return {'shape': attr_value_pb2.AttrValue(shape=nodes.shape_proto(shape))}
    if array is not None:
        tensor = tf.make_tensor_proto(array, tf.as_dtype(node.attr['dtype'].type))
        return {'value': attr_value_pb2.AttrValue(tensor=tensor)}
    if node.name in resizing.forgotten:
        name = resizing.forgotten[node.name]
        unknown = attr_value_pb2.AttrValue()
        unknown.CopyFrom(node.attr[name])
        for dim in unknown.shape.dim:
            dim.size = -1
        return {name: unknown}
    return {}


def _resized(graph_def: tf.GraphDef, sizes: Sequence[NewSize]) -> List[NewConstant]:
    """The constants that result from new sizes of some of their elements."""
    by_input: Dict[Tuple[str, int], List[NewSize]] = {}
    for size in sizes:
        by_input.setdefault((size.consumer, size.position), []).append(size)
    by_name = {node.name: node for node in graph_def.node} if by_input else {}
    found = []
    for (consumer, position), group in by_input.items():
        value = np.array(nodes.constant_value(by_name[group[0].node]))
        for size in group:
            value.ravel()[size.element] = size.value
        found.append(NewConstant(consumer, position, value))
    return found


def _named(
    found: Sequence[NewConstant], view: view_lib.GraphView
) -> Dict[str, Dict[int, tf.NodeDef]]:
    """Consumer -> position -> the constant of its own that it reads there."""
    named: Dict[str, Dict[int, tf.NodeDef]] = {}
    taken = {node.name for node in view}
    for consumer, position, value in found:
        name = names.claim(f'{consumer}/stripped_{position}', taken)
        node = nodes.constant(name, value, tf.as_dtype(value.dtype))
        # What ties the old one to its loop or branch.
        old = view.behind_reads(view.inputs(view.node(consumer))[position])
        node.input.extend(f'^{each}' for each in view_lib.control_inputs(old))
        named.setdefault(consumer, {})[position] = node
    return named
