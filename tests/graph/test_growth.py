from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph import growth, nodes, op_defs
from tf1pruning.graph.pure_ops import PURE_OPS
from tf1pruning.names import op_types


def problem(op, *inputs):
    """Of a node with these constants as inputs; None: an input that is none."""
    constants = {
        f'c{number}': value if value is None else nodes.array_constant('c', value)
        for number, value in enumerate(inputs)
    }
    node = tf.NodeDef(name='node', op=op, input=list(constants))
    return growth.problem(node, constants.__getitem__)


def ints(*values):
    return np.int32(values)


def one(value, dtype=np.int32):
    return np.asarray(value, dtype)


@pytest.mark.parametrize(
    ('op', 'inputs'),
    [
        ('Relu', [ints(10**9, 10**9)]),
        ('Fill', [ints(1000, 1000, 1000), None]),
        ('Fill', [None, ints(1)]),
        ('Fill', [np.ones(2, np.bool_), None]),
        ('Range', [one(0), one(10**9), one(1)]),
        ('Range', [one(0), one(2 * 10**9), None]),
        ('Range', [one(0), one(2 * 10**9), one(0)]),
        ('Range', [one(2 * 10**9), one(0), one(1)]),
        ('TensorArrayV3', [one(10**6)]),
    ],
)
def test_what_fits_or_is_not_known_passes(op, inputs):
    assert problem(op, *inputs) == ''


@pytest.mark.parametrize(
    ('op', 'inputs', 'message'),
    [
        (
            'Fill',
            [ints(*[1000] * 4), None],
            'a tensor of [1000, 1000, 1000, 1000]',
        ),
        (
            'Tile',
            [None, ints(2 * 10**9)],
            'a tensor of [2000000000]; expected at most 1,073',
        ),
        ('RandomUniform', [ints(10**5, 10**5)], 'a tensor of [100000, 100000]'),
        ('ResizeBilinear', [None, ints(10**5, 10**5)], 'a tensor of [100000, 100000]'),
        ('ScatterNd', [None, None, ints(2 * 10**9)], 'a tensor of [2000000000]'),
        ('OneHot', [None, one(2 * 10**9), None, None], 'a tensor of [2000000000]'),
        ('Range', [one(0), one(2 * 10**9), one(1)], 'a range of 2,000,000,000 numbers'),
        (
            'Range',
            [one(0, np.float32), one(2, np.float32), one(1e-10, np.float32)],
            'a range of 19,999,999,733 numbers',
        ),
        (
            'TensorListReserve',
            [ints(), one(2 * 10**9)],
            'a list of 2,000,000,000 items',
        ),
        ('TensorArrayV3', [one(2 * 10**9)], 'a list of 2,000,000,000 items'),
        ('TensorArrayWriteV3', [None, one(2 * 10**9), None, None], 'a list of 2,0'),
    ],
)
def test_what_fills_the_memory_is_said(op, inputs, message):
    assert f'makes {message}' in problem(op, *inputs)


# What op definitions call an input that says how large a result is.
NAMES = op_types(
    'crop_size depth dims fft_length multiples num num_elements num_rows num_samples '
    'num_segments output_shape shape size'
)
# Their results are as large as what they read, or sparse.
NO_LARGER = op_types(
    'ConcatOffset QuantizedReshape RandomCrop Reshape Reverse Slice SparseSlice '
    'SparseSplit TileGrad UnravelIndex WindowDataset'
)


def test_no_pure_op_that_is_told_a_size_is_overlooked():
    arguments = {
        op: [argument.name for argument in found.input_arg]
        for op, found in op_defs.op_defs(PURE_OPS).items()
    }
    told = {op for op, found in arguments.items() if set(found).intersection(NAMES)}
    writes = {op for op in growth.LENGTHS if op.startswith('TensorArrayWrite')}

    assert told - {*growth.SIZES, *growth.LENGTHS} == set(NO_LARGER)
    positions = {**growth.SIZES, **growth.LENGTHS}
    # Others are of another version.
    for op in positions.keys() & arguments.keys():
        named = (*NAMES, 'index') if op in writes else NAMES
        assert arguments[op][positions[op]] in named
