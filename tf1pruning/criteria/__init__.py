"""Criteria: arrays -> one score per filter. A high score means redundant.

Importing this package registers the criteria of the house; `register` and
`register_data` add one's own.
"""

from tf1pruning.criteria import activations, gradients, similarity, weights
from tf1pruning.criteria.registry import register, register_data

__all__ = [
    'activations',
    'gradients',
    'register',
    'register_data',
    'similarity',
    'weights',
]
