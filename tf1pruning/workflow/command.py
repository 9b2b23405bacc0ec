"""How the command-line programs end: exit code 0 when done, else one line and 1."""

from __future__ import annotations

import os
import sys
from typing import Callable, List, NoReturn

import tensorflow.compat.v1 as tf
from absl import app, flags, logging

from tf1pruning.errors import Tf1PruningError


def run(main: Callable[[], None], stopped: str = 'Stopped.') -> None:
    """Runs `main` as an absl app; a user's mistake becomes one line on stderr.

    Args:
      main: the program; it reads its own flags.
      stopped: what to say after an interruption from the keyboard.
    """

    def guarded(argv: List[str]) -> None:
        if len(argv) > 1:
            _fail(f'Unexpected argument {argv[1]!r}; every option starts with --.')
        if not flags.FLAGS['verbosity'].present:
            logging.set_verbosity(logging.WARNING)
        try:
            main()
        except Tf1PruningError as error:
            _fail(error)
        except KeyboardInterrupt:
            sys.exit(stopped)

    # TensorFlow's own log lines say nothing that a user of these programs can act on.
    # Its C++ side reads the variable at its first message.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    tf.logging.set_verbosity(tf.logging.ERROR)
    app.run(guarded, flags_parser=_parse)


def _parse(argv: List[str]) -> List[str]:
    """The arguments that are no flags."""
    try:
        return list(flags.FLAGS(argv))
    except flags.Error as error:
        _fail(error)


def _fail(message: object) -> NoReturn:
    sys.exit(f'Error: {" ".join(str(message).split())}')
