"""Errors of tf1pruning.

Every error that a user can cause is a `Tf1PruningError`. Its message says what is wrong
by name, what was expected and found, and what to do next.
"""

from __future__ import annotations

from typing import Sequence

_EXECUTION = 'Graph execution error'


class Tf1PruningError(Exception):
    """Base class of all errors that tf1pruning raises on purpose.

    Args:
      message: what is wrong and what to do.
      options: names of the options that do what the message advises. A program that
        ends with the error says how to give those that it has.
    """

    def __init__(self, message: str, options: Sequence[str] = ()):
        super().__init__(message)
        self.options = tuple(options)


def first_line(error: BaseException) -> str:
    """What an error of TensorFlow says, without where in the program it came up."""
    said = str(getattr(error, 'message', error)).strip() or repr(error)
    if said.startswith(_EXECUTION):
        # TensorFlow 2 says first where each node was made.
        _, _, said = said.rpartition('Node: ')
        said = said.partition('\n')[2].strip() or said
    return said.splitlines()[0].rstrip('.')


class CheckpointError(Tf1PruningError):
    """A checkpoint is missing, damaged, or holds values that cannot be used."""


class GraphError(Tf1PruningError):
    """A graph is missing, damaged, or lacks what was asked of it."""


class PlanError(Tf1PruningError):
    """A plan is malformed, impossible, or was made for another model."""


class OptionError(Tf1PruningError, ValueError):
    """An option has a value outside its range."""


class OutputError(Tf1PruningError):
    """An output path cannot be written."""


class WorkflowError(Tf1PruningError):
    """A step lacks what comes before it, or the processes that take part in it."""


class DataError(Tf1PruningError):
    """Data, or a file that tf1pruning wrote, cannot be used."""


class VerificationError(Tf1PruningError):
    """Two networks that must give the same answers do not."""
