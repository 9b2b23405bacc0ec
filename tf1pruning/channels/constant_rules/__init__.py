"""Rules for constant channels, one module per op family; importing registers them."""

from tf1pruning.channels.constant_rules import (
    control,
    elementwise,
    kernels,
    moves,
    regions,
)

__all__ = ['control', 'elementwise', 'kernels', 'moves', 'regions']
