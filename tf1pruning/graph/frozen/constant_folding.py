"""Evaluates the parts of a frozen graph that do not depend on its input.

NumPy evaluates a short list of ops in their own type, and only where the file does not
grow: the result takes no more bytes than the constants that go for it.

An IdentityN goes, too: tf.nn.swish writes one for the sake of its gradient, and
TensorFlow Lite does not know it.
"""

from __future__ import annotations

import itertools
from typing import Callable, Dict, List, Optional, Sequence, Set

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.graph import functions, nodes, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import precision
from tf1pruning.names import TensorRef
from tf1pruning.shapes import element_count

# Below that a constant is no larger than the nodes that compute it.
_SMALL_BYTES = 256
# Nothing is computed that has more elements than the largest constant, times this.
_GROWTH = 16
_NUMBERS = 'fiu'
_PASSING = ('Identity', 'IdentityN')

_STEPPING = ('FakeQuant', 'QuantizeAndDequantize')

Evaluator = Callable[..., np.ndarray]


def _reshape(node: tf.NodeDef, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    return np.reshape(x, shape.tolist())


def _transpose(node: tf.NodeDef, x: np.ndarray, axes: np.ndarray) -> np.ndarray:
    return np.transpose(x, axes.tolist())


def _squeeze(node: tf.NodeDef, x: np.ndarray) -> np.ndarray:
    axes = view_lib.attribute(node, 'squeeze_dims').list.i
    return np.squeeze(x, tuple(axes) or None)


def _expand_dims(node: tf.NodeDef, x: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.expand_dims(x, int(axis))


def _cast(node: tf.NodeDef, x: np.ndarray) -> np.ndarray:
    return x.astype(tf.as_dtype(node.attr['DstT'].type).as_numpy_dtype)


def _pack(node: tf.NodeDef, *parts: np.ndarray) -> np.ndarray:
    return np.stack(parts, view_lib.attribute(node, 'axis').i)


def _concat(node: tf.NodeDef, *inputs: np.ndarray) -> np.ndarray:
    return np.concatenate(inputs[:-1], int(inputs[-1]))


def _plain(function: Evaluator) -> Evaluator:
    """An evaluator that needs no attributes, and numbers that NumPy knows."""
    return lambda node, *inputs: function(*inputs)


_MOVES: Dict[str, Evaluator] = {
    'ConcatV2': _concat,
    'ExpandDims': _expand_dims,
    'Pack': _pack,
    'Reshape': _reshape,
    'Squeeze': _squeeze,
    'Transpose': _transpose,
}
_ARITHMETIC: Dict[str, Evaluator] = {
    'Add': _plain(np.add),
    'AddV2': _plain(np.add),
    'Cast': _cast,
    'Maximum': _plain(np.maximum),
    'Minimum': _plain(np.minimum),
    'Mul': _plain(np.multiply),
    'Neg': _plain(np.negative),
    'RealDiv': _plain(np.true_divide),
    'Rsqrt': _plain(lambda x: np.asarray(1 / np.sqrt(x), x.dtype)),
    'Sqrt': _plain(np.sqrt),
    'Square': _plain(np.square),
    'Sub': _plain(np.subtract),
}


def fold_constants(graph_def: tf.GraphDef, outputs: Sequence[str]) -> tf.GraphDef:
    """A frozen graph whose constant parts are evaluated.

    Args:
      graph_def: each node after its inputs; not changed.
      outputs: names of the nodes that matter; they stay.

    Returns:
      A graph with the same names. What became a constant has its node's name.
    """
    view = view_lib.GraphView(graph_def)
    folder = _Folder(view, outputs)
    for node in view:
        folder.visit(node)
    kept = folder.needed()
    if len(kept) == len(graph_def.node) and not folder.changes_something:
        return graph_def
    left = (folder.result(node) for node in view if node.name in kept)
    folded = nodes.with_nodes(graph_def, left)
    folded.library.CopyFrom(functions.used_library(folded))
    return folded


class _Folder:
    """Collects constants and renamed tensors on the way through a graph."""

    def __init__(self, view: view_lib.GraphView, outputs: Sequence[str]):
        self._view = view
        self._outputs = frozenset(outputs)
        sizes = (nodes.constant_size(node) for node in view if node.op == 'Const')
        self._most = _GROWTH * max(sizes, default=0)
        self._values: Dict[str, np.ndarray] = {}
        self._renamed: Dict[TensorRef, TensorRef] = {}
        # Where a network rounds to a few steps, the last bit of a sum may be a step.
        self._has_steps = any(node.op.startswith(_STEPPING) for node in view)

    @property
    def changes_something(self) -> bool:
        """Whether anything was found that can be evaluated or left out."""
        return bool(self._values or self._renamed)

    def visit(self, node: tf.NodeDef) -> None:
        """Finds out what becomes of a node, after its inputs."""
        refs = [self._source(ref) for ref in self._view.refs(node)]
        if node.op == 'IdentityN' and node.name not in self._outputs:
            for output, ref in enumerate(refs):
                self._renamed[TensorRef(node.name, output)] = ref
            return
        sources = [ref.node for ref in refs]
        # A control input ties a node to its loop or branch.
        if len(node.input) > len(sources):
            return
        if not sources or not all(self._is_constant(name) for name in sources):
            return
        if node.op == 'Identity' and node.name not in self._outputs:
            self._renamed[TensorRef(node.name, 0)] = refs[0]
            return
        value = self._evaluated(node, sources)
        if value is not None and self._pays(value, sources):
            self._values[node.name] = value

    def _source(self, ref: TensorRef) -> TensorRef:
        return self._renamed.get(ref, ref)

    def _is_constant(self, name: str) -> bool:
        node = self._view.node(name)
        is_free = node.op == 'Const' and not node.input
        return name in self._values or (is_free and nodes.is_exact(node))

    def _value(self, name: str) -> np.ndarray:
        if name in self._values:
            return self._values[name]
        return nodes.constant_value(self._view.node(name))

    def _evaluated(
        self, node: tf.NodeDef, sources: Sequence[str]
    ) -> Optional[np.ndarray]:
        evaluate = _MOVES.get(node.op) or _ARITHMETIC.get(node.op)
        if evaluate is None or _rounds(node):
            return None
        if self._has_steps and node.op in _ARITHMETIC:
            return None
        inputs = [self._value(name) for name in sources]
        if _size(inputs) > self._most:
            return None
        if node.op in _ARITHMETIC and not all(_is_calculable(x) for x in inputs):
            return None
        with np.errstate(all='ignore'):
            return np.asarray(evaluate(node, *inputs))

    def _pays(self, value: np.ndarray, sources: Sequence[str]) -> bool:
        gone = [name for name in set(sources) if self._readers(name) == 1]
        freed = sum(self._value(name).nbytes for name in gone)
        return value.nbytes <= max(freed, _SMALL_BYTES)

    def _readers(self, name: str) -> int:
        """How many nodes read a constant, directly or through an Identity."""

        def passes(edge: view_lib.Edge) -> bool:
            return edge.node.op in _PASSING and edge.node.name not in self._outputs

        edges = self._view.edges_behind([name], passes)
        return int(name in self._outputs) + sum(not passes(edge) for edge in edges)

    def needed(self) -> Set[str]:
        """Names of the nodes that the outputs still need."""

        def inputs(name: str) -> List[str]:
            if name in self._values:
                return []
            node = self._view.node(name)
            sources = [self._source(ref).node for ref in self._view.refs(node)]
            return sources + view_lib.control_inputs(node)

        return set(walk.reached(self._outputs, inputs))

    def result(self, node: tf.NodeDef) -> tf.NodeDef:
        """What stands in the place of a node."""
        if node.name in self._values:
            return nodes.array_constant(node.name, self._values[node.name])
        refs = self._view.refs(node)
        if not any(ref in self._renamed for ref in refs):
            return node
        return nodes.copied(node, (self._source(ref).as_input for ref in refs))


def _size(inputs: Sequence[np.ndarray]) -> int:
    """How many elements an op on arrays may make of them, at most."""
    shapes = itertools.zip_longest(*(x.shape[::-1] for x in inputs), fillvalue=1)
    return max(
        sum(x.size for x in inputs), element_count(max(sizes) for sizes in shapes)
    )


def _rounds(node: tf.NodeDef) -> bool:
    """Whether a node rounds to 16-bit floats: left to TensorFlow, whatever runs it."""
    dtype = tf.as_dtype(view_lib.attribute(node, 'DstT').type or tf.float32)
    return node.op == 'Cast' and precision.is_half(dtype)


def _is_calculable(array: np.ndarray) -> bool:
    """Whether a result is not rounded more than at run time; 16-bit floats are."""
    return array.dtype.kind in _NUMBERS and array.dtype != np.float16
