"""What the command-line programs have in common: flags of models, and how they end.

They end with exit code 0 when done, else with one line and 1.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from typing import Callable, List, NoReturn, Sequence

import tensorflow.compat.v1 as tf
from absl import app, flags, logging

from tf1pruning.errors import OptionError, Tf1PruningError
from tf1pruning.graph import inputs as graph_inputs
from tf1pruning.workflow import inputs, loading

# Flags that this module defines belong to the program that asks for them.
flags.disclaim_key_flags()

# How absl says that a required flag is not given.
_MISSING = re.compile(
    r'flag --(\w+)=None: Flag --\1 must have a value other than None\.'
)

# What the flag of the model is called, in one tool and in the others.
_PATHS = {'checkpoint': 'model', 'model': 'checkpoint'}


def run(
    main: Callable[..., None],
    stopped: str = 'Stopped.',
    arguments: Sequence[str] = (),
) -> None:
    """Runs `main` as an absl app; a user's mistake becomes one line on stderr.

    Args:
      main: the program; it reads its own flags.
      stopped: what to say after an interruption from the keyboard.
      arguments: names of what it takes besides flags; `main` gets their values.
    """

    def guarded(argv: List[str]) -> None:
        if len(argv) > 1 + len(arguments):
            _fail(
                f'Unexpected argument {argv[1 + len(arguments)]!r}; every option '
                'starts with --.'
            )
        if len(argv) <= len(arguments):
            _fail(f'Missing argument {arguments[len(argv) - 1]}; see --help.')
        if not flags.FLAGS['verbosity'].present:
            logging.set_verbosity(logging.WARNING)
        try:
            main(*argv[1:])
        except Tf1PruningError as error:
            _fail(f'{error}{_flags_of(error)}')
        except KeyboardInterrupt:
            sys.exit(stopped)

    # TensorFlow's own log lines say nothing that a user of these programs can act on.
    # Its C++ side reads the variable at its first message.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    tf.logging.set_verbosity(tf.logging.ERROR)
    # What TensorFlow made on import stays to the end. The collector would look through
    # all of it again and again, a tenth of a second each time.
    gc.freeze()
    app.run(guarded, flags_parser=_parse)


def _parse(argv: List[str]) -> List[str]:
    """The arguments that are no flags."""
    try:
        rest = list(flags.FLAGS(argv))
    except flags.UnrecognizedFlagError as error:
        _fail(_unknown(error))
    except flags.Error as error:
        _fail(_MISSING.sub(r'--\1 is missing; see --help.', str(error)))
    # A variable of a shell that is not set, say.
    empty = [f'--{name}' for name in flags.FLAGS if _is_empty(flags.FLAGS[name])]
    if empty:
        _fail(f'No value for {", ".join(empty)}. Give one, or leave the flag out.')
    return rest


def _is_empty(flag: flags.Flag) -> bool:
    return bool(flag.present) and flag.value == ''


def _unknown(error: flags.UnrecognizedFlagError) -> str:
    """The message, with the flag that may be meant."""
    what, _, meant = str(error).partition('. Did you mean: ')
    other = _PATHS.get(error.flagname, '')
    meant = meant.rstrip(' ?').replace(', ', ' or --')
    meant = other if other in flags.FLAGS else meant
    return f'{what}. Did you mean --{meant}?' if meant else f'{what}; see --help.'


def _flags_of(error: Tf1PruningError) -> str:
    """The flags of this program that do what an error advises."""
    known = [f'--{name}' for name in error.flags if _is_flag(name)]
    return f' See {", ".join(known)}.' if known else ''


def _is_flag(name: str) -> bool:
    negated = name.startswith('no') and name[2:] in flags.FLAGS
    return negated or name in flags.FLAGS


def _fail(message: object) -> NoReturn:
    sys.exit(f'Error: {" ".join(str(message).split())}')


def define_model_flags(name: str) -> None:
    """Defines the flags that say which model is meant, `name` its path."""
    flags.DEFINE_string(
        name,
        None,
        'Prefix of a checkpoint, folder of a SavedModel, or frozen graph (.pb).',
    )
    flags.mark_flag_as_required(name)
    flags.DEFINE_string(
        'output_nodes',
        None,
        'Names of the output nodes, separated by commas; by default those of the '
        'signature, or the only node that may be one.',
    )
    flags.DEFINE_string(
        'meta_graph', None, 'Meta graph; default: the .meta beside the checkpoint.'
    )
    flags.DEFINE_multi_string(
        'input_tensors',
        [],
        'Tensors that become the inputs, with their shapes: name=1,224,224,3 (? for an '
        'open size); several are separated by semicolons, or the flag is repeated.',
    )
    flags.DEFINE_list('tags', ['serve'], 'Tags of the graph in a SavedModel.')
    flags.DEFINE_string('signature', 'serving_default', 'Signature of a SavedModel.')
    flags.DEFINE_bool(
        'use_moving_averages',
        False,
        'Use the moving averages of the variables instead of the variables; what is '
        'written has the averages in place of the variables, pruned or not.',
    )


def model_options() -> inputs.Options:
    """What the flags of `define_model_flags` say."""
    values = flags.FLAGS
    given = values.output_nodes
    return inputs.Options(
        outputs=loading.split_outputs(given) if given is not None else (),
        meta_path=values.meta_graph,
        tags=tuple(values.tags),
        signature=values.signature,
        use_moving_averages=values.use_moving_averages,
        input_tensors=tuple(graph_inputs.parse_inputs(values.input_tensors)),
    )


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
