"""Structured pruning of TensorFlow 1.15 networks."""

from tf1pruning.errors import (
    CheckpointError,
    DataError,
    GraphError,
    OptionError,
    OutputError,
    PlanError,
    Tf1PruningError,
    VerificationError,
    WorkflowError,
)
from tf1pruning.pruning import Pruning
from tf1pruning.schedules.run import prune_finetune

__version__ = '0.1.0'

__all__ = [
    'CheckpointError',
    'DataError',
    'GraphError',
    'OptionError',
    'OutputError',
    'PlanError',
    'Pruning',
    'Tf1PruningError',
    'VerificationError',
    'WorkflowError',
    '__version__',
    'prune_finetune',
]
