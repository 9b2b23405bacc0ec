"""Errors of tf1pruning.

Every error that a user can cause is a `Tf1PruningError`. Its message says what is wrong
by name, what was expected and found, and what to do next.
"""

from __future__ import annotations


class Tf1PruningError(Exception):
    """Base class of all errors that tf1pruning raises on purpose."""


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
    """A step was called before the step that it needs."""


class DataError(Tf1PruningError):
    """Data is missing or damaged, or a model gives values that cannot be used on it."""


class VerificationError(Tf1PruningError):
    """Two networks that must give the same answers do not."""
