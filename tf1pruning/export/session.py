"""Runs what was exported, in a fresh graph and session."""

from __future__ import annotations

from typing import Callable, List, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import VerificationError


def answers(
    load: Callable[[tf.Session], None],
    outputs: Sequence[str],
    feeds: Mapping[str, np.ndarray],
) -> List[np.ndarray]:
    """The outputs of a network that `load` puts into a session.

    Args:
      load: loads graph and variables.
      outputs: node names.
      feeds: input node -> array.

    Raises:
      VerificationError: if it does not load or run.
    """
    try:
        with tf.Graph().as_default(), tf.Session() as session:
            load(session)
            return session.run(
                [f'{name}:0' for name in outputs],
                {f'{name}:0': value for name, value in feeds.items()},
            )
    except (tf.errors.OpError, OSError, ValueError, KeyError, TypeError) as error:
        raise VerificationError(
            f'The export does not load again and run: {error}'
        ) from error
