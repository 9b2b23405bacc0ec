"""Random numbers, which carry no channels."""

from __future__ import annotations

from tf1pruning.channels import values
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.values import Activation


@RULES.register(
    'Multinomial',
    'ParameterizedTruncatedNormal',
    'RandomGamma',
    'RandomPoissonV2',
    'RandomShuffle',
    'RandomStandardNormal',
    'RandomUniform',
    'RandomUniformInt',
    'StatelessMultinomial',
    'StatelessRandomNormal',
    'StatelessRandomUniform',
    'StatelessRandomUniformInt',
    'StatelessTruncatedNormal',
    'TruncatedNormal',
    attributes='seed seed2 dtype output_dtype Tout T Tseed S R',
)
def draw(op: Op) -> Activation:
    """Other numbers for each shape and parameter, so channels that are these stay."""
    for value in op.inputs:
        op.freeze_value(value, 'is what random numbers depend on')
    return values.fixed(op.shape())
