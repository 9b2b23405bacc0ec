"""Runs two frozen graphs on the same input and compares their outputs."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, sessions
from tf1pruning.errors import VerificationError, first_line
from tf1pruning.graph import draws, importing
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import channels_last, precision
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.surgery import feeds as feeds_lib
from tf1pruning.surgery.feeds import Guess

TOLERANCE = 1e-5
# Causes of failures that other inputs may not have.
_OF_INPUTS = (tf.errors.InvalidArgumentError, ValueError, FloatingPointError)


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

    Boolean inputs are once false and once true.

    Raises:
      VerificationError: if a graph does not run, gives NaN or another shape.
    """
    answers = answers_of(reference, outputs, limits)
    return differences(answers, Imported(other, outputs, limits))


def differences(answers: Sequence[Answers], other: Imported) -> Comparison:
    """Compares the answers of a network with those of another.

    Raises:
      VerificationError: if the other does not run, or gives NaN or another shape.
    """
    return largest([measure(a, other.run(a.outputs, a.feeds)) for a in answers])


def largest(found: Sequence[Comparison]) -> Comparison:
    """The largest differences of several comparisons."""
    return Comparison(
        max(each.absolute for each in found), max(each.relative for each in found)
    )


def answers_of(
    reference: tf.GraphDef,
    outputs: Sequence[str],
    limits: RunLimits = STRICT,
    samples: Optional[Mapping[str, np.ndarray]] = None,
) -> Tuple[Answers, ...]:
    """What a frozen graph answers to samples, or to random inputs that it runs on.

    Args:
      reference: the graph.
      outputs: its output nodes.
      limits: of each run.
      samples: input -> `[samples, ...]`; None: inputs are made up (see `feeds`).

    Returns:
      One, or two if the graph has boolean inputs and no samples.

    Raises:
      VerificationError: if it does not run or gives NaN.
      DataError: if the samples do not fit it.
    """
    if samples is not None:
        given = feeds_lib.of_samples(reference, samples)
        return (answers_to(reference, outputs, given, limits),)
    network = Imported(reference, outputs, limits)
    guess, found = _first_that_runs(network, outputs)
    has_flags = any(
        node.op == 'Placeholder'
        and view_lib.attribute(node, 'dtype').type == tf.bool.as_datatype_enum
        for node in reference.node
    )
    if not has_flags:
        return (found,)
    other = dataclasses.replace(guess, flags=True)
    inputs = feeds_lib.random_inputs(reference, guess=other)
    return (found, _answers_to(network, outputs, inputs))


def _first_that_runs(
    network: Imported, outputs: Sequence[str]
) -> Tuple[Guess, Answers]:
    """The first guess of inputs on which a network runs, and its answers."""
    first: Optional[VerificationError] = None
    for guess in feeds_lib.guesses(network.graph_def):
        inputs = feeds_lib.random_inputs(network.graph_def, guess=guess)
        try:
            return guess, _answers_to(network, outputs, inputs)
        except VerificationError as error:
            first = first or error
            if not isinstance(error.__cause__, _OF_INPUTS):
                break
    assert first is not None, 'there is a guess'
    raise VerificationError(
        f'{first} Give the shapes of the inputs, or samples of them.',
        options=feeds_lib.WAYS_OUT,
    ) from first


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
    return _answers_to(Imported(reference, outputs, limits), outputs, feeds)


def _answers_to(
    network: Imported, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> Answers:
    values = network.run(outputs, feeds)
    for name, value in zip(outputs, values):
        if _is_number(value) and not np.all(np.isfinite(value)):
            raise VerificationError(
                f'Output {name!r} is not finite on what was fed, even before '
                'stripping. Name an output before the op that overflows.'
            ) from FloatingPointError(name)
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


class Imported:
    """A frozen graph, imported once to run on a CPU, even if it was made for GPUs.

    16-bit floats run as 32-bit ones: their rounding would hide the difference. Random
    numbers are the same for nodes of the same names, in each run.

    Args:
      graph_def: the graph.
      outputs: all nodes that runs ask for.
      limits: of each run.

    Attributes:
      graph_def: as it was given.
      as_given: the graph, if it runs as it was given; None: it had to be changed.

    Raises:
      GraphError: if TensorFlow refuses it, or it is not safe to run.
    """

    def __init__(
        self,
        graph_def: tf.GraphDef,
        outputs: Sequence[str],
        limits: RunLimits = STRICT,
    ):
        sessions.check(graph_def, outputs, limits)
        wide = precision.widened(draws.seeded(graph_def))
        changed = channels_last.channels_last(wide)
        self.graph_def, self._limits = graph_def, limits
        self._graph = importing.import_graph(changed)
        self.as_given = self._graph if changed is graph_def else None

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
    ) -> List[np.ndarray]:
        """The outputs, in a session of their own.

        Raises:
          VerificationError: with TensorFlow's message, if it does not run.
          GraphError: if it runs too long.
        """
        try:
            with sessions.Session(self._graph, self._limits) as session:
                return session.run(
                    [f'{names.node_name(name)}:0' for name in outputs],
                    {f'{name}:0': value for name, value in feeds.items()},
                )
        except (tf.errors.OpError, ValueError) as error:
            raise VerificationError(
                f'The graph does not run: {first_line(error)}.{_hint(self._graph)}'
            ) from error


def digest(graph_def: tf.GraphDef) -> str:
    """A digest of a graph; graphs that have the same one answer the same."""
    written = graph_def.SerializeToString(deterministic=True)
    return hashlib.blake2b(written).hexdigest()


def run(
    graph_def: tf.GraphDef,
    outputs: Sequence[str],
    feeds: Mapping[str, np.ndarray],
    limits: RunLimits = STRICT,
) -> List[np.ndarray]:
    """The outputs of a frozen graph, like `Imported.run`."""
    return Imported(graph_def, outputs, limits).run(outputs, feeds)


def _hint(graph: tf.Graph) -> str:
    """What may help where a graph cannot run."""
    tables = [op.name for op in graph.get_operations() if 'LookupTable' in op.type]
    if not tables:
        return ''
    return (
        f' The lookup in a table ({names.quoted(tables)}) needs an initializer, and a '
        'frozen graph has none. Name output nodes before the table.'
    )
