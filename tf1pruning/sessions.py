"""The one door to sessions: whatever runs a graph of a user runs it from here.

A graph is checked before it is imported, since TensorFlow computes constant parts of it
on import, and each run has a limit of time and memory.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Collection, Mapping, Optional, Sequence, TypeVar

import tensorflow.compat.v1 as tf

from tf1pruning import bounds, names
from tf1pruning.errors import GraphError, OptionError, first_line
from tf1pruning.graph import memory, unsafe
from tf1pruning.graph.pure_ops import PURE_OPS
from tf1pruning.names import op_types

DEFAULT_SECONDS = 600.0
# Of a graph with a loop, which may have no end.
DEFAULT_LOOP_SECONDS = 20.0
_SHORTEST, _LONGEST = 1e-3, 1e9
# Loops, and calls of functions that may hold some.
_LOOP_OPS = op_types(
    'For If MapDefun NextIteration PartitionedCall RefNextIteration '
    'StatefulPartitionedCall StatelessIf StatelessWhile While'
)
# How long a run that has been told to stop may take to do so.
_GRACE_SECONDS = 5.0
_LATE = (
    bounds.LateError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
_TOO_LARGE = (MemoryError, tf.errors.ResourceExhaustedError)
# How many unsafe nodes a message names.
_NAMED = 10

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class RunLimits:
    """What the runs of a graph may do.

    Attributes:
      allow_unsafe: whether they may run ops that are not known to be pure.
      seconds: that each may take; None: ten minutes, or 20 seconds if the graph has a
        loop.

    Raises:
      OptionError: if `seconds` is out of range.
    """

    allow_unsafe: bool = False
    seconds: Optional[float] = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not _SHORTEST <= self.seconds <= _LONGEST:
            raise OptionError(
                f'A run may take {self.seconds} seconds; expected from {_SHORTEST:g} '
                f'to {_LONGEST:g}.',
                options=('verify_timeout',),
            )


STRICT = RunLimits()


def check(
    graph_def: tf.GraphDef, fetches: Collection[str], limits: RunLimits = STRICT
) -> None:
    """Refuses a graph that is not safe to run, before it is imported.

    Args:
      graph_def: as it will be imported.
      fetches: names of the tensors or nodes that runs need.
      limits: of the runs.

    Raises:
      GraphError: names the nodes that are not known to be pure.
    """
    if not limits.allow_unsafe:
        nodes = [names.node_name(name) for name in fetches]
        refuse('The outputs depend', unsafe.find_impure(graph_def, nodes))


def check_pipeline(
    graph_def: tf.GraphDef, fetches: Collection[str], limits: RunLimits = STRICT
) -> None:
    """Like `check`, for an input pipeline that the user asked for."""
    if not limits.allow_unsafe:
        nodes = [names.node_name(name) for name in fetches]
        found = unsafe.find_impure_pipeline(graph_def, nodes)
        refuse('The input pipeline depends', found, 'Give data of your own')


def refuse(
    what: str,
    found: Sequence[str],
    advice: str = 'Name output nodes that do not need them',
    options: Sequence[str] = (),
) -> None:
    """Raises GraphError if there are unsafe nodes."""
    if found:
        more = ' and more' if len(found) > _NAMED else ''
        raise GraphError(
            f'{what} on ops that are not known to be pure and may read files, call '
            f'hosts, wait, write files or call Python: {", ".join(found[:_NAMED])}'
            f'{more}. Nothing was run. {advice}, or allow them.',
            options=(*options, 'allow_unsafe'),
        )


def settled(graph: tf.Graph, limits: RunLimits) -> RunLimits:
    """The limits with the time that a graph has by default.

    For a graph that is going to have ops of ours, such as those of an optimizer.

    Args:
      graph: as it was checked and imported.
      limits: of its runs.
    """
    seconds = limits.seconds or _default_seconds(graph)
    return dataclasses.replace(limits, seconds=seconds)


class Session:
    """A session that runs a graph within limits.

    Args:
      graph: that was checked before it was imported.
      limits: of its runs.
      optimize: whether TensorFlow optimizes the graph first, which takes longer than a
        single run. It computes no constants even then: these may be large.
    """

    def __init__(
        self, graph: tf.Graph, limits: RunLimits = STRICT, optimize: bool = False
    ):
        config = tf.ConfigProto()
        config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
        rewriting = config.graph_options.rewrite_options
        rewriting.disable_meta_optimizer = not optimize
        rewriting.constant_folding = rewriting.OFF
        self._session = tf.Session(graph=graph, config=config)
        self._graph, self._limits = graph, limits
        self._given: Optional[float] = limits.seconds
        self._is_bounded = self._is_left = False

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session, unless a run was left behind: that would be waited for."""
        if not self._is_left:
            self._session.close()

    def run(self, fetches: Any, feeds: Optional[Mapping[Any, Any]] = None) -> Any:
        """Like `tf.Session.run`.

        Raises:
          GraphError: if it takes too long, or would make tensors that are too large.
          tf.errors.OpError, ValueError, TypeError: if it fails.
        """
        if not (self._is_bounded or self._limits.allow_unsafe):
            memory.check(self._graph)
            self._is_bounded = True
        options = self._options()
        return self._bounded(lambda: self._session.run(fetches, feeds, options))

    def lend(self, use: Callable[[tf.Session], T]) -> T:
        """What a function makes of the session that restores or saves variables."""
        return use(self._session)

    def callable(
        self, fetches: Sequence[tf.Operation], feeds: Sequence[str]
    ) -> Callable[..., None]:
        """A function that runs operations, which ran before, with little overhead."""
        call = self._session.make_callable(fetches, feeds, accept_options=True)
        options = self._options()
        return lambda *arrays: call(*arrays, options=options)

    def _options(self) -> tf.RunOptions:
        # Zero is no limit.
        return tf.RunOptions(timeout_in_ms=max(1, int(self._seconds * 1000)))

    @property
    def _seconds(self) -> float:
        if self._given is None:
            self._given = _default_seconds(self._graph)
        return self._given

    def _bounded(self, call: Callable[[], Any]) -> Any:
        """What a call gives; an op that does not stop in time is left behind."""
        try:
            return bounds.run(call, self._seconds + _GRACE_SECONDS)
        except _LATE as error:
            self._is_left = isinstance(error, bounds.LateError)
            raise GraphError(
                f'The graph runs for more than {self._seconds:g} seconds. It may have '
                'no end; if it has, allow more time.',
                options=('verify_timeout',),
            ) from error
        except _TOO_LARGE as error:
            raise GraphError(
                'The graph needs more memory than there is, or than it may take: '
                f'{first_line(error)}. Give smaller inputs, or name outputs before it.',
                options=('input_tensors',),
            ) from error


def _default_seconds(graph: tf.Graph) -> float:
    """More where the graph has an end for certain."""
    types = {operation.type for operation in graph.get_operations()}
    may_loop = types & _LOOP_OPS or types - PURE_OPS
    return DEFAULT_LOOP_SECONDS if may_loop else DEFAULT_SECONDS
