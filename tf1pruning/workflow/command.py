"""How the command-line programs end: exit code 0 when done, else one line and 1."""

from __future__ import annotations

import os
import sys
from typing import Callable, List

import tensorflow.compat.v1 as tf
from absl import app

from tf1pruning.errors import Tf1PruningError


def run(main: Callable[[List[str]], None]) -> None:
    """Runs `main` as an absl app; a user's mistake becomes one line on stderr."""

    def guarded(argv: List[str]) -> None:
        try:
            if len(argv) > 1:
                raise Tf1PruningError(
                    f'Unexpected argument {argv[1]!r}; every option starts with --.'
                )
            main(argv)
        except Tf1PruningError as error:
            sys.exit(f'Error: {" ".join(str(error).split())}')

    # TensorFlow's own log lines say nothing that a user of these programs can act on.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    tf.logging.set_verbosity(tf.logging.ERROR)
    app.run(guarded)
