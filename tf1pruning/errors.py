"""Errors of tf1pruning.

Every error that a user can cause is a `Tf1PruningError`. Its message says what is wrong
by name, what was expected and found, and what to do next.
"""

from __future__ import annotations

from typing import Sequence


class Tf1PruningError(Exception):
    """Base class of all errors that tf1pruning raises on purpose.

    Args:
      message: what is wrong and what to do, true for tools and for Python.
      flags: of the tools, that do what the message advises; a program that ends with
        the error names those that it has.
    """

    def __init__(self, message: str, flags: Sequence[str] = ()):
        super().__init__(message)
        self.flags = tuple(flags)


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
    """Data cannot be used, nor can a file that tf1pruning wrote: it is damaged, say."""


class VerificationError(Tf1PruningError):
    """Two networks that must give the same answers do not."""
