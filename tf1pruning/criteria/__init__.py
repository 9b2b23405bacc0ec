"""Criteria: arrays -> one score per filter. A high score means redundant.

Importing this package registers them.
"""

from tf1pruning.criteria import activations, gradients, registry, similarity, weights

__all__ = ['activations', 'gradients', 'registry', 'similarity', 'weights']
