"""When how much goes: rounds of pruning with training behind each of them."""

from tf1pruning.schedules.options import Options
from tf1pruning.schedules.paces import cubic, harmonic, linear
from tf1pruning.schedules.schedule import (
    Done,
    Round,
    iterate,
    ladder,
    layer_by_layer,
    one_by_one,
    spread,
)

__all__ = [
    'Done',
    'Options',
    'Round',
    'cubic',
    'harmonic',
    'iterate',
    'ladder',
    'layer_by_layer',
    'linear',
    'one_by_one',
    'spread',
]
