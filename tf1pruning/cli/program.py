"""Runs a program of the command line.

It ends with exit code 0, or with one line and exit code 1.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging as std_logging
import os
import re
import sys
from typing import Callable, Iterator, List, Match, NoReturn, Sequence

import tensorflow.compat.v1 as tf
from absl import app, flags, logging

from tf1pruning import files
from tf1pruning.errors import OptionError, Tf1PruningError

# So many new objects are one reason to look for those that nothing needs any more.
_NEW_OBJECTS = 10000
# How absl says that a required flag is not given.
_MISSING = re.compile(
    r'flag --(\w+)=None: Flag --\1 must have a value other than None\.'
)
# How it says that a value is no number.
_NO_NUMBER = re.compile(r'flag --(\w+)=(.*?): (could not convert|invalid literal).*')
# Flag of version 0.1 -> what it is called now.
_RENAMED = {'calibration_data': 'data', 'checkpoint': 'model', 'random_seed': 'seed'}
# Option that an error names -> flag that gives it, where these differ.
_FLAGS = {
    'allow_unsafe': 'allow_unsafe_ops',
    'disk': 'temporary_gb',
    'verify': 'noverify',
}


def run(
    main: Callable[..., None],
    stopped: str = 'Stopped.',
    arguments: Sequence[str] = (),
    help_text: Callable[[], str] = lambda: '',
) -> None:
    """Runs `main` as an absl app; a user's mistake becomes one line on stderr.

    Args:
      main: the program; it reads its own flags.
      stopped: what to say after an interruption from the keyboard.
      arguments: names of what it takes besides flags; `main` gets their values.
      help_text: what --help prints; '': what absl prints for a script.
    """

    def checked(argv: List[str]) -> None:
        if len(argv) > 1 + len(arguments):
            _fail(
                f'Unexpected argument {argv[1 + len(arguments)]!r}; every option '
                'starts with --.'
            )
        if len(argv) <= len(arguments):
            _fail(f'Missing argument {arguments[len(argv) - 1]}; see --help.')
        if not flags.FLAGS['verbosity'].present:
            logging.set_verbosity(logging.WARNING)
        # Warnings of the library are part of the output.
        handler = logging.get_absl_handler()
        handler.setFormatter(std_logging.Formatter('%(message)s'))
        handler.python_handler.stream = sys.stdout
        # A line that cannot be printed is an error here, not a traceback of `logging`.
        std_logging.raiseExceptions = False
        main(*argv[1:])

    def parse(argv: List[str]) -> List[str]:
        asked = {'--help', '-help', '-h', '--helpfull', '-helpfull'}.intersection(argv)
        text = help_text() if asked else ''
        if text:
            print(text)
            sys.exit(0)
        return _parse(argv)

    # TensorFlow's own log lines say nothing that a user of these programs can act on.
    # Its C++ side reads the variable at its first message.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    tf.logging.set_verbosity(tf.logging.ERROR)
    # What TensorFlow made on import stays to the end. The collector would look through
    # all of it again and again, a tenth of a second each time. And a graph is many
    # objects that stay: it is enough to look for those that do not now and then.
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
    with ends_in_one_line(stopped):
        app.run(checked, flags_parser=parse)


@contextlib.contextmanager
def ends_in_one_line(stopped: str = 'Stopped.') -> Iterator[None]:
    """Ends the process with one line on stderr and exit code 1, if something is wrong.

    Args:
      stopped: the line after an interruption from the keyboard.
    """
    prepare_streams()
    try:
        try:
            _check_paths()
            yield
        finally:
            # What is printed may only go out, or fail to, now.
            sys.stdout.flush()
    except Tf1PruningError as error:
        _fail(with_flags(str(error), error.options))
    except OSError as error:
        _silence_output()
        if isinstance(error, BrokenPipeError):
            sys.exit(1)  # Nobody reads any more.
        _fail(_os_problem(error))
    except MemoryError:
        _fail('There is not enough memory. Give smaller inputs or fewer samples.')
    except KeyboardInterrupt:
        sys.exit(stopped)


def prepare_streams() -> None:
    """Makes sure that something can be printed, whatever the terminal is."""
    # Else the next file that is opened is the standard output.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


def _silence_output() -> None:
    """Drops what could not be printed; else Python tries again, with a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_paths() -> None:
    """Raises OSError for arguments that cannot be paths, or if the folder is gone."""
    for argument in sys.argv:
        files.check_name(argument)
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise OSError(error.errno, 'The working folder is gone', '.') from error


def _os_problem(error: OSError) -> str:
    """An error of the system in one sentence."""
    if error.filename is None:
        return f'Cannot read or write: {files.reason(error)}.'
    return f'{error.filename!r} cannot be used: {files.reason(error)}.'


def _parse(argv: List[str]) -> List[str]:
    """The arguments that are no flags."""
    try:
        rest = list(flags.FLAGS(argv))
    except flags.UnrecognizedFlagError as error:
        _fail(_unknown(error))
    except flags.Error as error:
        said = _MISSING.sub(r'--\1 is missing; see --help.', str(error))
        _fail(_NO_NUMBER.sub(_no_number, said))
    # The value of a shell's variable that is not set, for example.
    empty = [f'--{name}' for name in flags.FLAGS if _is_empty(flags.FLAGS[name])]
    if empty:
        _fail(f'No value for {", ".join(empty)}. Give one, or leave the flag out.')
    return rest


def _no_number(found: Match[str]) -> str:
    name, value, said = found.groups()
    what = 'a whole number' if said.startswith('invalid') else 'a number'
    share = ' 5 % is 0.05.' if value.endswith('%') else ''
    return f'--{name} is {value!r}; expected {what}.{share}'


def _is_empty(flag: flags.Flag) -> bool:
    return bool(flag.present) and flag.value == ''


def _unknown(error: flags.UnrecognizedFlagError) -> str:
    """The message, with the flag that may be meant."""
    what, _, meant = str(error).partition('. Did you mean: ')
    meant = meant.rstrip(' ?').replace(', ', ' or --')
    renamed = _RENAMED.get(error.flagname, '')
    meant = renamed if renamed in flags.FLAGS else meant
    return f'{what}. Did you mean --{meant}?' if meant else f'{what}; see --help.'


def with_flags(text: str, options: Sequence[str]) -> str:
    """A message, and the flags of this program that do what it advises.

    Args:
      text: the message.
      options: that it names, as errors have them.
    """
    named = [_FLAGS.get(option, option) for option in options]
    known = [f'--{name}' for name in named if _is_flag(name)]
    return f'{text} See {", ".join(known)}.' if known else text


def _is_flag(name: str) -> bool:
    negated = name.startswith('no') and name[2:] in flags.FLAGS
    return negated or name in flags.FLAGS


def _fail(message: object) -> NoReturn:
    sys.exit(f'Error: {" ".join(str(message).split())}')


def numbers(name: str) -> List[float]:
    """The values of a list flag, as numbers.

    Raises:
      OptionError: if one is none.
    """
    texts = flags.FLAGS[name].value
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise OptionError(
            f'--{name} is {",".join(texts)!r}; expected numbers.'
        ) from None
