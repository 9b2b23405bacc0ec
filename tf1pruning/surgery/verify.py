"""Runs two frozen graphs on the same random input and compares their outputs."""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import VerificationError
from tf1pruning.graph import channels_last, importing, precision
from tf1pruning.graph import view as view_lib

TOLERANCE = 1e-5
_BATCH = 2
_UNKNOWN_SIZE = 64


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
    reference: tf.GraphDef, other: tf.GraphDef, outputs: Sequence[str], seed: int = 0
) -> Comparison:
    """Compares the outputs of two frozen graphs with the same inputs.

    Inputs are drawn from a standard normal distribution. A batch of unknown size
    becomes 2, any other unknown size 64.

    Raises:
      VerificationError: if a graph does not run, gives NaN or another shape.
    """
    answers = answers_of(reference, outputs, seed)
    return measure(answers, run(other, outputs, answers.feeds))


def answers_of(
    reference: tf.GraphDef, outputs: Sequence[str], seed: int = 0
) -> Answers:
    """What a frozen graph answers to random inputs (see `compare`).

    Raises:
      VerificationError: if it does not run or gives NaN.
    """
    return answers_to(reference, outputs, random_inputs(reference, seed))


def answers_to(
    reference: tf.GraphDef, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> Answers:
    """What a frozen graph answers to some inputs.

    Raises:
      VerificationError: if it does not run or gives NaN.
    """
    values = run(reference, outputs, feeds)
    for name, value in zip(outputs, values):
        if not np.all(np.isfinite(value)):
            raise VerificationError(
                f'Output {name!r} is not finite on random input, before anything is '
                'stripped. Name an output before the op that overflows.'
            )
    return Answers(tuple(outputs), dict(feeds), tuple(values))


def measure(answers: Answers, found: Sequence[np.ndarray]) -> Comparison:
    """The largest differences between the answers of a network and other ones.

    Raises:
      VerificationError: if they do not have the same shapes.
    """
    absolute = relative = 0.0
    for name, a, b in zip(answers.outputs, answers.values, found):
        if a.shape != b.shape:
            raise VerificationError(
                f'Output {name!r} had shape {a.shape} and now has {b.shape}.'
            )
        difference = float(np.max(np.abs(a.astype(np.float64) - b), initial=0.0))
        scale = float(np.max(np.abs(a), initial=0.0))
        absolute = max(absolute, difference)
        relative = max(relative, difference / scale if scale else difference)
        if np.isnan(difference):
            absolute = relative = float('inf')
    return Comparison(absolute, relative)


def check(comparison: Comparison, tolerance: float = TOLERANCE) -> None:
    """Raises VerificationError if the difference is above the tolerance."""
    if comparison.relative > tolerance:
        raise VerificationError(
            f'The stripped network differs by {comparison.relative:.1e} of the output '
            f'scale; allowed are {tolerance:.0e}. Nothing was written. Please report '
            'this: it is a bug, or the network is not deterministic.'
        )


def random_inputs(graph_def: tf.GraphDef, seed: int) -> Dict[str, np.ndarray]:
    """One random array per placeholder.

    Inputs with a default keep it, unless the graph has no others.

    Raises:
      VerificationError: if an input's rank is unknown or its type cannot be made up.
    """
    found = [n for n in graph_def.node if n.op == 'Placeholder'] or [
        n for n in graph_def.node if n.op == 'PlaceholderWithDefault'
    ]
    generator = np.random.RandomState(seed)
    feeds = {}
    for node in found:
        dtype = tf.as_dtype(view_lib.attribute(node, 'dtype').type)
        shape = view_lib.shape_from_proto(view_lib.attribute(node, 'shape').shape)
        feeds[node.name] = _random(generator, dtype, shape, node.name)
    return feeds


def _random(
    generator: np.random.RandomState,
    dtype: tf.DType,
    shape: Optional[view_lib.Shape],
    name: str,
) -> np.ndarray:
    if shape is None:
        raise VerificationError(f'Input {name!r} has no known rank; give it a shape.')
    sizes = [_UNKNOWN_SIZE if size is None else size for size in shape]
    if shape and shape[0] is None:
        sizes[0] = _BATCH
    if precision.is_half(dtype):
        dtype = tf.float32
    if dtype.is_floating:
        return generator.standard_normal(sizes).astype(dtype.as_numpy_dtype)
    if dtype.is_bool:
        return np.zeros(sizes, bool)
    if dtype.is_integer:
        return generator.randint(0, 128, sizes).astype(dtype.as_numpy_dtype)
    raise VerificationError(f'Input {name!r} of type {dtype.name} cannot be made up.')


def run(
    graph_def: tf.GraphDef, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> List[np.ndarray]:
    """Outputs of a frozen graph, also where it has kernels for GPUs only.

    16-bit floats are run as 32-bit ones: their rounding would hide what is measured.

    Raises:
      VerificationError: with TensorFlow's message, if it does not run.
    """
    wide = precision.widened(graph_def)
    graph = importing.import_graph(channels_last.channels_last(wide))
    try:
        with tf.Session(graph=graph) as session:
            return session.run(
                [f'{names.node_name(name)}:0' for name in outputs],
                {f'{name}:0': value for name, value in feeds.items()},
            )
    except (tf.errors.OpError, ValueError) as error:
        raise VerificationError(f'The graph does not run: {error}') from error
