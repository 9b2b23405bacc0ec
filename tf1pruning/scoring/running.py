"""Runs a session on data of a user."""

from __future__ import annotations

from typing import Any, Mapping

import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError, first_line
from tf1pruning.sessions import Session


def run_on(
    session: Session,
    fetches: Any,
    feeds: Mapping[Any, Any],
    what: str = 'The network',
    data: str = 'the samples',
) -> Any:
    """Like `Session.run`; what TensorFlow says against the data becomes one sentence.

    Args:
      session: of the network.
      fetches: as of `Session.run`.
      feeds: as of `Session.run`.
      what: runs, for the message.
      data: that it runs on, for the message.

    Raises:
      DataError: if the data does not fit what runs.
      GraphError: if it takes too long.
    """
    try:
        return session.run(fetches, feeds)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise DataError(
            f'{what} does not run on {data}: {first_line(error)}.', options=('data',)
        ) from error
