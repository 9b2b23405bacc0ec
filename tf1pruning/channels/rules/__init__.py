"""Label rules, one module per op family; importing this package registers them."""

from tf1pruning.channels.rules import (
    computed,
    control,
    elementwise,
    kernels,
    normalization,
    parts,
    random,
    recurrent,
    reduction,
    regions,
    shapes,
    sizes,
    sources,
    spatial,
)

__all__ = [
    'computed',
    'control',
    'elementwise',
    'kernels',
    'normalization',
    'parts',
    'random',
    'recurrent',
    'reduction',
    'regions',
    'shapes',
    'sizes',
    'sources',
    'spatial',
]
