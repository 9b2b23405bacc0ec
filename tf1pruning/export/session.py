"""Runs an export in a fresh graph and session."""

from __future__ import annotations

from typing import Callable, List, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import sessions
from tf1pruning.errors import VerificationError, first_line
from tf1pruning.graph import draws
from tf1pruning.graph.frozen import precision
from tf1pruning.graph.frozen.channels_last import has_channels_first
from tf1pruning.sessions import STRICT, RunLimits, Session
from tf1pruning.surgery import verify


def restoring(prefix: str) -> Callable[[tf.Session], None]:
    """A function that loads a checkpoint with the meta graph beside it."""

    def load(session: tf.Session) -> None:
        tf.train.import_meta_graph(prefix + '.meta').restore(session, prefix)

    return load


def _runs_otherwise(graph_def: tf.GraphDef) -> bool:
    """Whether `verify.run` changes a graph before it runs it."""
    is_random = bool(draws.random_nodes(graph_def))
    return is_random or precision.has_half(graph_def) or has_channels_first(graph_def)


def answers(
    load: Callable[[tf.Session], None],
    outputs: Sequence[str],
    feeds: Mapping[str, np.ndarray],
    limits: RunLimits = STRICT,
) -> List[np.ndarray]:
    """The outputs of a network that `load` puts into a session.

    Args:
      load: loads graph and variables.
      outputs: node names.
      feeds: input node -> array.
      limits: of the run.

    Raises:
      VerificationError: if it does not load or run.
      GraphError: if it is not safe to run, or runs too long.
    """
    try:
        with tf.Graph().as_default() as graph, Session(graph, limits) as session:
            session.lend(load)
            graph_def = graph.as_graph_def()
            sessions.check(graph_def, outputs, limits)
            if outputs and _runs_otherwise(graph_def):
                freeze = tf.graph_util.convert_variables_to_constants
                frozen = session.lend(lambda s: freeze(s, graph_def, list(outputs)))
                return verify.run(frozen, outputs, feeds, limits)
            return session.run(
                [f'{name}:0' for name in outputs],
                {f'{name}:0': value for name, value in feeds.items()},
            )
    except (tf.errors.OpError, OSError, ValueError, KeyError, TypeError) as error:
        raise VerificationError(
            f'The export does not load and run: {first_line(error)}.'
        ) from error
