"""Recurrent layers as one op: what goes into them, and tables of embeddings."""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

from tf1pruning.channels import layout, values
from tf1pruning.channels.registry import Unsupported
from tf1pruning.channels.trace import RULES, Op
from tf1pruning.channels.trace_result import CONSUMER, PRODUCER
from tf1pruning.channels.values import Activation, Weight


class _Cell(NamedTuple):
    """Numbers of the inputs: the sequence, and the kernels that read it."""

    reads: int
    kernels: Tuple[int, ...]


_CELLS: Dict[str, _Cell] = {
    'BlockLSTM': _Cell(1, (4,)),
    'GRUBlockCell': _Cell(0, (2, 3)),
    'LSTMBlockCell': _Cell(0, (3,)),
}


@RULES.register(*_CELLS, attributes='T forget_bias cell_clip use_peephole')
def cell(op: Op) -> Activation:
    """Reads channels by the first rows of its kernels; the others read its state."""
    cell, axis = _CELLS[op.type], len(op.input_shape(_CELLS[op.type].reads)) - 1
    channels = op.activation(cell.reads).channels(axis)
    for position, value in enumerate(op.inputs):
        if position not in (cell.reads, *cell.kernels):
            op.freeze_value(value, 'belongs to the state')
    for position in cell.kernels:
        kernel = op.weight(position)
        rows = op.use(kernel, 0, CONSUMER)
        op.unify(rows[: len(channels)], channels, 'reads fixed channels')
        op.freeze(rows[len(channels) :], 'reads the state')
        op.freeze(kernel.axes[1], 'makes the state')
    op.summation([(cell.reads, axis)], channels)
    return values.fixed(op.shape())


@RULES.register(
    'ResourceGather', attributes='dtype Tindices batch_dims validate_indices'
)
def resource_gather(op: Op) -> Activation:
    """Rows of a table that is a variable."""
    if op.attr('batch_dims').i:
        raise Unsupported('indices for each example')
    return embedding(op, op.weight(0))


def embedding(op: Op, table: Weight) -> Activation:
    """Rows of a table `[rows, channels]`, whose columns make channels.

    Raises:
      Unsupported: if the table has another rank.
    """
    if len(table.shape) != 2:
        raise Unsupported(f'rows of a weight of shape {table.shape}')
    op.freeze(table.axes[0], 'is a row that is looked up')
    op.freeze_value(op.inputs[1], 'is used as numbers')
    labels, rank = op.use(table, 1, PRODUCER), len(op.shape())
    return Activation(op.shape(), layout.along(labels, rank - 1, rank))
