"""The command `tf1pruning`, and the scripts of tools/: one module per subcommand.

A module of a command has its help as docstring, its flags, `main`, and `ARGUMENTS` if
it takes other arguments than flags.
"""

from __future__ import annotations

import faulthandler
import importlib
import sys
import types
from typing import Dict, Sequence, Tuple

from absl import flags

from tf1pruning import names
from tf1pruning.cli import guard, program

# Command -> its module, and what it does.
COMMANDS: Dict[str, Tuple[str, str]] = {
    'compress': (
        'compress_command',
        'a smaller network with near answers, from samples',
    ),
    'analyze': ('analyze_command', 'list channel groups, their cost, why some stay'),
    'prune': ('prune_command', 'write zeros into redundant channels of a checkpoint'),
    'score': ('score_command', 'score channels by data and the loss'),
    'strip': ('strip_command', 'remove redundant channels and export a small network'),
    'diff': ('diff_command', 'compare two checkpoints, variable by variable'),
    'sensitivity': ('sensitivity_command', 'measure how much of each group may go'),
    'sweep': ('sweep_command', 'measure what weight and unit pruning cost'),
}


def main() -> None:
    """The console command: `tf1pruning COMMAND --flags`."""
    with program.ends_in_one_line():
        _main()


def _main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help', 'help'):
        print(usage())
    elif sys.argv[1] not in COMMANDS:
        hint = names.did_you_mean(sys.argv[1], COMMANDS)
        sys.exit(f'Error: There is no command {sys.argv[1]!r}. {hint}'.rstrip())
    else:
        run(sys.argv[1], sys.argv[2:], f'tf1pruning {sys.argv[1]}')


def usage() -> str:
    """The commands, one a line."""
    width = max(map(len, COMMANDS))
    lines = [f'  {name:{width}}  {what}' for name, (_, what) in COMMANDS.items()]
    return '\n'.join(
        [
            'Makes TensorFlow 1.15 networks physically smaller, with the same answers.',
            '',
            'Usage: tf1pruning COMMAND --flags; COMMAND --help lists its flags.',
            '',
            *lines,
        ]
    )


def run(command: str, arguments: Sequence[str], called: str) -> None:
    """Runs one command, in a process of its own, and ends this one.

    Args:
      command: one of `COMMANDS`.
      arguments: what follows it on the command line.
      called: what to call the program in its messages.
    """
    program.prepare_streams()
    guard.run(lambda: _run_here(command, arguments, called))


def _run_here(command: str, arguments: Sequence[str], called: str) -> None:
    module = importlib.import_module(f'tf1pruning.cli.{COMMANDS[command][0]}')
    sys.argv = [called, *arguments]

    def command_main(*values: str) -> None:
        # absl turns it on. What ends the process is said in one line.
        faulthandler.disable()
        module.main(*values)

    program.run(
        command_main,
        arguments=getattr(module, 'ARGUMENTS', ()),
        help_text=lambda: _help_text(module),
    )


def _help_text(command: types.ModuleType) -> str:
    """What a command does, and its flags: its own ones, then those of each subject."""
    listed = [(command.__doc__ or '').strip(), _flags_of(command, 'Flags')]
    for name in sorted(flags.FLAGS.flags_by_module_dict()):
        if name.startswith(f'{__package__}.') and name != command.__name__:
            module = sys.modules[name]
            title, *_ = (module.__doc__ or '').partition('.')
            listed.append(_flags_of(module, title))
    return '\n\n'.join(listed)


def _flags_of(module: types.ModuleType, title: str) -> str:
    _, _, listed = flags.FLAGS.module_help(module.__name__).strip().partition('\n')
    return f'{title}:\n{listed}'
