"""Criteria: arrays -> one score per filter. A high score means redundant.

Importing this package registers its criteria; `register` and `register_data` add the
user's own.
"""

from tf1pruning.criteria import (
    activations,
    gradients,
    reconstruction,
    similarity,
    weights,
)
from tf1pruning.criteria.registry import register, register_data

__all__ = [
    'activations',
    'gradients',
    'reconstruction',
    'register',
    'register_data',
    'similarity',
    'weights',
]
