"""Runs two frozen graphs on the same random input and compares their outputs."""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, sessions
from tf1pruning.errors import VerificationError, first_line
from tf1pruning.graph import importing, indices
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import channels_last, precision
from tf1pruning.sessions import STRICT, RunLimits

TOLERANCE = 1e-5
# Options that help where an input cannot be made up.
_WAYS_OUT = ('input_tensors', 'verify')
_BATCH = 2
_UNKNOWN_SIZE = 64
# Random integers lie below.
_LARGEST = 128


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Largest differences between two networks.

    Attributes:
      absolute: largest difference of any output element.
      relative: the largest, over outputs, of that difference over the output's scale
        (its largest magnitude in the reference).
    """

    absolute: float
    relative: float


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What a network answers.

    Attributes:
      outputs: names of its output nodes.
      feeds: input node -> array.
      values: one per output.
    """

    outputs: Tuple[str, ...]
    feeds: Dict[str, np.ndarray]
    values: Tuple[np.ndarray, ...]


def compare(
    reference: tf.GraphDef,
    other: tf.GraphDef,
    outputs: Sequence[str],
    limits: RunLimits = STRICT,
) -> Comparison:
    """Compares the outputs of two frozen graphs on the same random inputs.

    Inputs are drawn from a standard normal distribution. A batch of unknown size
    becomes 2, any other unknown size 64. Boolean inputs are once false and once true.

    Raises:
      VerificationError: if a graph does not run, gives NaN or another shape.
    """
    return differences(answers_of(reference, outputs, limits), other, limits)


def differences(
    answers: Sequence[Answers], other: tf.GraphDef, limits: RunLimits = STRICT
) -> Comparison:
    """Compares the answers of a network with those of a frozen graph.

    Raises:
      VerificationError: if the graph does not run, or gives NaN or another shape.
    """
    return largest(
        [measure(a, run(other, a.outputs, a.feeds, limits)) for a in answers]
    )


def largest(found: Sequence[Comparison]) -> Comparison:
    """The largest differences of several comparisons."""
    return Comparison(
        max(each.absolute for each in found), max(each.relative for each in found)
    )


def answers_of(
    reference: tf.GraphDef, outputs: Sequence[str], limits: RunLimits = STRICT
) -> Tuple[Answers, ...]:
    """What a frozen graph answers to random inputs (see `compare`).

    Returns:
      One, or two if the graph has boolean inputs.

    Raises:
      VerificationError: if it does not run or gives NaN.
    """
    has_flags = any(
        node.op == 'Placeholder'
        and view_lib.attribute(node, 'dtype').type == tf.bool.as_datatype_enum
        for node in reference.node
    )
    return tuple(
        answers_to(reference, outputs, random_inputs(reference, flags=flags), limits)
        for flags in ((False, True) if has_flags else (False,))
    )


def answers_to(
    reference: tf.GraphDef,
    outputs: Sequence[str],
    feeds: Mapping[str, np.ndarray],
    limits: RunLimits = STRICT,
) -> Answers:
    """What a frozen graph answers to some inputs.

    Raises:
      VerificationError: if it does not run or gives NaN.
    """
    values = run(reference, outputs, feeds, limits)
    for name, value in zip(outputs, values):
        if _is_number(value) and not np.all(np.isfinite(value)):
            raise VerificationError(
                f'Output {name!r} is not finite on random input, even before '
                'stripping. Name an output before the op that overflows.'
            )
    return Answers(tuple(outputs), dict(feeds), tuple(values))


def measure(answers: Answers, found: Sequence[np.ndarray]) -> Comparison:
    """The largest differences between the answers of a network and other answers.

    Raises:
      VerificationError: if the shapes differ.
    """
    absolute = relative = 0.0
    for name, a, b in zip(answers.outputs, answers.values, found):
        if a.shape != b.shape:
            raise VerificationError(
                f'Output {name!r} had shape {a.shape} and now has {b.shape}.'
            )
        difference, scale = _difference(a, b)
        absolute = max(absolute, difference)
        relative = max(relative, difference / scale if scale else difference)
        if np.isnan(difference):
            absolute = relative = float('inf')
    return Comparison(absolute, relative)


def _difference(a: np.ndarray, b: np.ndarray) -> Tuple[float, float]:
    """Largest difference of two arrays, and the scale of the first.

    Strings and the like differ by 1 or not at all.
    """
    if not _is_number(a):
        return float(np.any(a != b)), 1.0
    wide = np.complex128 if np.iscomplexobj(a) else np.float64
    difference = float(np.max(np.abs(a.astype(wide) - b), initial=0.0))
    return difference, float(np.max(np.abs(a), initial=0.0))


def _is_number(value: np.ndarray) -> bool:
    return bool(np.issubdtype(value.dtype, np.number) or value.dtype == np.bool_)


def check(
    comparison: Comparison,
    tolerance: float = TOLERANCE,
    what: str = 'The stripped network',
) -> None:
    """Refuses networks that differ.

    Args:
      comparison: of the two.
      tolerance: largest difference that is allowed, as a share of the output's scale.
      what: differs, for the message.

    Raises:
      VerificationError: if the difference is larger.
    """
    if comparison.relative > tolerance:
        raise VerificationError(
            f'{what} differs by {comparison.relative:.1e} of the output '
            f'scale; expected at most {tolerance:.0e}. Nothing was written. Either the '
            'network is not deterministic, or this is a bug: please report it.'
        )


def random_inputs(
    graph_def: tf.GraphDef, seed: int = 0, flags: bool = False
) -> Dict[str, np.ndarray]:
    """One random array per placeholder.

    Inputs with a default keep it, unless the graph has no others. Integers lie below
    128, and within the tables in which they look up.

    Args:
      graph_def: a frozen graph.
      seed: of the random numbers.
      flags: value of all boolean inputs.

    Raises:
      VerificationError: if an input's rank is unknown or its type cannot be made up.
    """
    found = [n for n in graph_def.node if n.op == 'Placeholder'] or [
        n for n in graph_def.node if n.op == 'PlaceholderWithDefault'
    ]
    generator = np.random.RandomState(seed)
    rows = indices.rows_of_inputs(graph_def)
    feeds: Dict[str, np.ndarray] = {}
    for node in found:
        dtype = tf.as_dtype(view_lib.attribute(node, 'dtype').type)
        shape = view_lib.shape_from_proto(view_lib.attribute(node, 'shape').shape)
        sizes = _sizes(shape, node.name)
        if dtype.is_integer:
            limit = min(_LARGEST, rows.get(node.name, _LARGEST))
            drawn = generator.randint(0, max(limit, 1), sizes)
            feeds[node.name] = drawn.astype(dtype.as_numpy_dtype)
        elif dtype.is_bool:
            feeds[node.name] = np.full(sizes, flags)
        else:
            feeds[node.name] = _random(generator, dtype, sizes, node.name)
    return feeds


def _sizes(shape: Optional[view_lib.Shape], name: str) -> List[int]:
    if shape is None:
        raise VerificationError(
            f'Input {name!r} has no known rank. Give it a shape.',
            options=('input_tensors',),
        )
    sizes = [_UNKNOWN_SIZE if size is None else size for size in shape]
    if shape and shape[0] is None:
        sizes[0] = _BATCH
    return sizes


def _random(
    generator: np.random.RandomState, dtype: tf.DType, sizes: List[int], name: str
) -> np.ndarray:
    if precision.is_half(dtype):
        dtype = tf.float32
    if dtype.is_floating:
        try:
            return generator.standard_normal(sizes).astype(dtype.as_numpy_dtype)
        except (MemoryError, ValueError) as error:
            raise VerificationError(
                f'Input {name!r} of shape {tuple(sizes)} does not fit into memory. '
                'Give it a smaller shape, or do without verification.',
                options=_WAYS_OUT,
            ) from error
    raise VerificationError(
        f'No random input {name!r} of type {dtype.name} can be made. Cut the graph '
        'behind it, or do without verification.',
        options=_WAYS_OUT,
    )


def run(
    graph_def: tf.GraphDef,
    outputs: Sequence[str],
    feeds: Mapping[str, np.ndarray],
    limits: RunLimits = STRICT,
) -> List[np.ndarray]:
    """The outputs of a frozen graph on a CPU, even if it was made for GPUs.

    16-bit floats run as 32-bit ones: their rounding would hide the difference.

    Raises:
      VerificationError: with TensorFlow's message, if it does not run.
      GraphError: if it is not safe to run, or runs too long.
    """
    sessions.check(graph_def, outputs, limits)
    wide = precision.widened(graph_def)
    graph = importing.import_graph(channels_last.channels_last(wide))
    try:
        with sessions.Session(graph, limits) as session:
            return session.run(
                [f'{names.node_name(name)}:0' for name in outputs],
                {f'{name}:0': value for name, value in feeds.items()},
            )
    except (tf.errors.OpError, ValueError) as error:
        raise VerificationError(
            f'The graph does not run: {first_line(error)}.{_hint(graph)}'
        ) from error


def _hint(graph: tf.Graph) -> str:
    """What may help where a graph cannot run."""
    tables = [op.name for op in graph.get_operations() if 'LookupTable' in op.type]
    if not tables:
        return ''
    return (
        f' The lookup in a table ({names.quoted(tables)}) needs an initializer, and a '
        'frozen graph has none. Name output nodes before the table.'
    )
