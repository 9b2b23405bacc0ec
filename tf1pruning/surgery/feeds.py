"""What a network is run on: random numbers, or samples that the user has.

What a graph leaves open, the size of a batch or an image and the meaning of integers,
can only be guessed. The usual guess comes first; if the network does not run on it, the
others are for trying.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import DataError, VerificationError
from tf1pruning.graph import indices, nodes
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import precision
from tf1pruning.names import TensorRef, op_types

# Options that help where an input cannot be made up.
WAYS_OUT = ('input_tensors', 'data', 'verify')
ANY, LENGTHS, ONES = 'any', 'lengths', 'ones'
# Random integers lie below.
_LARGEST = 128
_SIZES = (64, 128, 224, 256, 299, 512, 32, 28, 16, 8)
_TRIES = 48
_FIXED = 3
# At most so many samples of a file are compared.
_SAMPLES = 8
# Attributes by which a layer reads its kernel transposed.
_TURNS = ('adj_y', 'transpose_b')
_SAME_RANK = op_types('Add AddV2 Cast Div Identity Maximum Minimum Mul RealDiv Sub')


@dataclasses.dataclass(frozen=True)
class Guess:
    """How inputs are made up.

    Attributes:
      batch: size of a first axis that is open.
      size: of any other axis that is open.
      integers: ANY below 128; LENGTHS: from 1 to the second size of other inputs, and
        single numbers are the batch; ONES.
      positive: whether floats lie in [0, 1), and are not of the normal distribution.
      flags: the value of booleans.
    """

    batch: int = 2
    size: int = _SIZES[0]
    integers: str = ANY
    positive: bool = False
    flags: bool = False


def guesses(graph_def: tf.GraphDef) -> Iterator[Guess]:
    """Guesses, the usual one first, then those that differ from it in the least."""
    yield Guess()
    view = view_lib.GraphView(graph_def)
    shapes = [shape_of(view, node) or () for node in _inputs(graph_def)]
    types = [_dtype(node) for node in _inputs(graph_def)]
    batches, sizes, integers = [Guess().batch], [Guess().size], [ANY]
    if any(None in shape[:1] for shape in shapes):
        batches += [*_fixed_sizes(view, 0), 1]
    if any(None in shape[1:] for shape in shapes):
        sizes += [*_fixed_sizes(view, 1), *_SIZES[1:]]
    if any(dtype.is_integer for dtype in types):
        integers += [LENGTHS, ONES]
    counts = [range(len(batches)), range(len(sizes)), range(len(integers)), range(2)]
    nearest = sorted(
        itertools.product(*counts), key=lambda place: sum(map(bool, place))
    )
    for batch, size, kind, positive in nearest[1:_TRIES]:
        yield Guess(batches[batch], sizes[size], integers[kind], bool(positive))


def _fixed_sizes(view: view_lib.GraphView, axis: int) -> List[int]:
    """The commonest sizes that tensors behind the inputs have along an axis."""
    starts = [node.name for node in _inputs(view.graph_def)]
    found: Dict[int, int] = collections.Counter()
    for name in dict.fromkeys(edge.node.name for edge in view.edges_behind(starts)):
        ref = TensorRef(name, 0)
        shape = view.shape(ref) if view.has_tensor(ref) else None
        size = shape[axis] if shape and len(shape) > 1 + axis else None
        if size and size != Guess().batch and view.dtype(ref).is_floating:
            found[size] += 1
    return sorted(found, key=lambda size: -found[size])[:_FIXED]


def random_inputs(
    graph_def: tf.GraphDef, seed: int = 0, guess: Guess = Guess()
) -> Dict[str, np.ndarray]:
    """One random array per placeholder.

    Inputs with a default keep it, unless the graph has no others. Integers lie within
    the tables in which they look up.

    Args:
      graph_def: a frozen graph.
      seed: of the random numbers.
      guess: of what the graph leaves open.

    Raises:
      VerificationError: if an input's rank is unknown or its type cannot be made up.
    """
    generator = np.random.RandomState(seed)
    view = view_lib.GraphView(graph_def)
    sizes = {
        node.name: _sizes(shape_of(view, node), node.name, guess)
        for node in _inputs(graph_def)
    }
    rows = indices.rows_of_inputs(graph_def)
    lengths = [s[1] for s in sizes.values() if len(s) > 1] or [guess.size]
    feeds: Dict[str, np.ndarray] = {}
    for node in _inputs(graph_def):
        name, dtype = node.name, _dtype(node)
        if dtype.is_integer:
            low, high = _range(guess, sizes[name], rows.get(name), min(lengths))
            drawn = generator.randint(low, high, sizes[name])
            feeds[name] = drawn.astype(dtype.as_numpy_dtype)
        elif dtype.is_bool:
            feeds[name] = np.full(sizes[name], guess.flags)
        else:
            feeds[name] = _floats(generator, dtype, sizes[name], name, guess.positive)
    return feeds


def _inputs(graph_def: tf.GraphDef) -> List[tf.NodeDef]:
    """What has to be fed: all placeholders, or those with a default if all have one."""
    found = [node for node in graph_def.node if node.op == 'Placeholder']
    return found or [n for n in graph_def.node if n.op == 'PlaceholderWithDefault']


def _dtype(node: tf.NodeDef) -> tf.DType:
    return tf.as_dtype(view_lib.attribute(node, 'dtype').type)


def shape_of(view: view_lib.GraphView, node: tf.NodeDef) -> Optional[view_lib.Shape]:
    """The shape of an input; where it has none, that which its first reader wants."""
    shape = view_lib.shape_from_proto(view_lib.attribute(node, 'shape').shape)
    if shape is not None:
        return shape
    edges = view.edges_behind([node.name], lambda edge: edge.node.op in _SAME_RANK)
    wanted = (_wanted(view, edge) for edge in edges)
    return next((found for found in wanted if found is not None), None)


def _wanted(view: view_lib.GraphView, edge: view_lib.Edge) -> Optional[view_lib.Shape]:
    """The shape that a layer, or a change of the shape, wants of what enters it."""
    if edge.position or edge.node.op not in (*nodes.LAYER_OPS, 'Reshape'):
        return None
    other = view.refs(edge.node)[1]
    if edge.node.op == 'Reshape':
        source = view.node(other.node)
        sizes = nodes.constant_value(source)[1:] if source.op == 'Const' else ()
        known = len(sizes) and min(sizes) > 0
        return (None, int(np.prod(sizes))) if known else None
    kernel = view.shape(other)
    if kernel is None or 'Backprop' in edge.node.op:
        return None
    is_first = view_lib.attribute(edge.node, 'data_format').s.startswith(b'NC')
    is_turned = any(view_lib.attribute(edge.node, name).b for name in _TURNS)
    shape: List[Optional[int]] = [None] * len(kernel)
    shape[1 if is_first else -1] = kernel[-1] if is_turned else kernel[-2]
    return tuple(shape)


def _sizes(shape: Optional[view_lib.Shape], name: str, guess: Guess) -> List[int]:
    if shape is None:
        raise VerificationError(
            f'Input {name!r} has no known rank. Give it a shape, or samples.',
            options=WAYS_OUT,
        )
    sizes = [guess.size if size is None else size for size in shape]
    if shape and shape[0] is None:
        sizes[0] = guess.batch
    return sizes


def _range(
    guess: Guess, sizes: Sequence[int], rows: Optional[int], length: int
) -> Tuple[int, int]:
    """The smallest integer to draw, and the first that is too large."""
    if guess.integers == ONES:
        return 1, 2
    if guess.integers == ANY:
        return 0, max(min(_LARGEST, _LARGEST if rows is None else rows), 1)
    if not sizes:
        return guess.batch, guess.batch + 1
    return 1, max(min(length + 1, length + 1 if rows is None else rows), 2)


def _floats(
    generator: np.random.RandomState,
    dtype: tf.DType,
    sizes: Sequence[int],
    name: str,
    positive: bool,
) -> np.ndarray:
    if precision.is_half(dtype):
        dtype = tf.float32
    if not dtype.is_floating:
        raise VerificationError(
            f'No random input {name!r} of type {dtype.name} can be made. Give samples, '
            'cut the graph behind it, or do without verification.',
            options=WAYS_OUT,
        )
    draw = generator.random_sample if positive else generator.standard_normal
    try:
        return draw(sizes).astype(dtype.as_numpy_dtype)
    except (MemoryError, ValueError) as error:
        raise VerificationError(
            f'Input {name!r} of shape {tuple(sizes)} does not fit into memory. '
            'Give it a smaller shape, or do without verification.',
            options=WAYS_OUT,
        ) from error


def of_samples(
    graph_def: tf.GraphDef, samples: Mapping[str, np.ndarray]
) -> Dict[str, np.ndarray]:
    """The first samples, as many as a batch of the network has.

    Args:
      graph_def: a frozen graph.
      samples: input -> `[samples, ...]`, or what a single run takes.

    Raises:
      DataError: names every array that is missing, left over, or does not fit.
    """
    view = view_lib.GraphView(graph_def)
    known = {node.name: node for node in graph_def.node if node.op in nodes.INPUT_OPS}
    needed = {node.name for node in _inputs(graph_def)}
    problems = [f'no array for the input {n!r}' for n in sorted(needed - set(samples))]
    feeds: Dict[str, np.ndarray] = {}
    for name in sorted(samples):
        if name not in known:
            listed = names.quoted(sorted(known))
            problems.append(f'array {name!r} is for no input; there is {listed}')
            continue
        shape, array = shape_of(view, known[name]), np.asarray(samples[name])
        feeds[name] = _first(array, shape).astype(_numpy_type(known[name]))
        if not view_lib.agree(feeds[name].shape, shape):
            problems.append(f'array {name!r} has shape {array.shape}; expected {shape}')
    if problems:
        raise DataError(
            f'The samples do not fit: {"; ".join(problems)}.', options=('data',)
        )
    return feeds


def _first(array: np.ndarray, shape: Optional[view_lib.Shape]) -> np.ndarray:
    """The first samples of an array; all of it, if it has no axis for samples."""
    if not array.ndim or shape == ():
        return array
    return array[: (shape[0] if shape and shape[0] else _SAMPLES)]


def _numpy_type(node: tf.NodeDef) -> type:
    dtype = _dtype(node)
    return np.float32 if precision.is_half(dtype) else dtype.as_numpy_dtype
