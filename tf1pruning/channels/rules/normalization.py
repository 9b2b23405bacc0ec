"""Batch norm, by moving statistics or by those of the batch, and bias."""

from __future__ import annotations

from typing import Tuple

from tf1pruning.channels import families, layout
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.trace_result import BIAS, SCALE, STATISTIC
from tf1pruning.channels.values import Activation


@RULES.register_family(families.BATCH_NORM)
def fused_batch_norm(op: Op) -> Tuple[Activation, ...]:
    """Ties gamma, beta, moving mean and moving variance to the input's channels.

    In training mode the moving ones are not read. Each channel is normalized by itself.
    """
    roles = [SCALE, BIAS]
    if not op.attr('is_training').b:
        roles += [STATISTIC, STATISTIC]
    x = op.activation(0)
    channels = x.channels(layout.channel_axis(op.node, x.rank))
    for position, role in enumerate(roles, start=1):
        labels = op.use(op.weight(position), 0, role)
        op.unify(labels, channels, 'normalizes fixed channels')
    vector = Activation((len(channels),), channels)
    return (x, vector, vector)


@RULES.register('BiasAdd', 'BiasAddV1', attributes='T data_format')
def bias_add(op: Op) -> Activation:
    """Ties a bias to the channels of its input."""
    x = op.activation(0)
    channels = x.channels(layout.channel_axis(op.node, x.rank))
    labels = op.use(op.weight(1), 0, BIAS)
    op.unify(labels, channels, 'is added to fixed channels')
    return x
