"""Rules for constant channels, one module per op family; importing registers them."""

from tf1pruning.channels.constant_rules import elementwise, kernels, moves

__all__ = ['elementwise', 'kernels', 'moves']
