"""Finds constants that make a tensor or a list far larger than the file.

TensorFlow computes what sizes depend on as soon as it imports a graph, so these are
refused when it is read. Sizes that are computed in several steps are not looked at: an
import has limits of time and memory.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional

import tensorflow.compat.v1 as tf

from tf1pruning.graph import nodes
from tf1pruning.names import op_types
from tf1pruning.shapes import element_count

MOST_ITEMS = 1 << 20
_MOST_ELEMENTS = 1 << 30
_NUMBERS = f'{_MOST_ELEMENTS:,} numbers'

# Op -> which of its inputs says how large its result is.
SIZES = {
    **dict.fromkeys(
        op_types(
            'Empty Fill ParameterizedTruncatedNormal RandomGamma RandomPoisson '
            'RandomPoissonV2 RandomStandardNormal RandomUniform RandomUniformInt '
            'RaggedTensorToTensor StatelessRandomNormal StatelessRandomUniform '
            'StatelessRandomUniformInt StatelessTruncatedNormal StridedSliceGrad '
            'TruncatedNormal'
        ),
        0,
    ),
    # Since TensorFlow 2.
    **dict.fromkeys(
        op_types(
            'StatelessParameterizedTruncatedNormal StatelessRandomBinomial '
            'StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomNormalV2 '
            'StatelessRandomPoisson StatelessRandomUniformFullInt '
            'StatelessRandomUniformFullIntV2 StatelessRandomUniformIntV2 '
            'StatelessRandomUniformV2 StatelessTruncatedNormalV2'
        ),
        0,
    ),
    **dict.fromkeys(
        op_types('DenseBincount ExtractGlimpseV2 FFTND IFFTND IRFFTND RFFTND'), 1
    ),
    **dict.fromkeys(
        op_types(
            'ImageProjectiveTransformV2 ImageProjectiveTransformV3 MatrixDiagV3 '
            'RaggedBincount SegmentMaxV2 SegmentMinV2 SegmentProdV2 SegmentSumV2'
        ),
        2,
    ),
    'SparseBincount': 3,
    **dict.fromkeys(
        op_types(
            'Bincount BroadcastTo ExtractGlimpse FusedResizeAndPadConv2D IRFFT IRFFT2D '
            'IRFFT3D Multinomial OneHot QuantizedResizeBilinear RFFT RFFT2D RFFT3D '
            'ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor '
            'ResizeNearestNeighborGrad ScaleAndTranslate SparseToDense '
            'StatefulStandardNormal StatelessMultinomial Tile'
        ),
        1,
    ),
    **dict.fromkeys(
        op_types(
            'LinSpace MatrixDiagV2 ScatterNd StatefulRandomBinomial '
            'StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform '
            'StatefulUniformFullInt StatefulUniformInt UnsortedSegmentJoin '
            'UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd '
            'UnsortedSegmentSum'
        ),
        2,
    ),
    **dict.fromkeys(
        op_types(
            'CropAndResize SparseSegmentMeanWithNumSegments '
            'SparseSegmentSqrtNWithNumSegments SparseSegmentSumWithNumSegments'
        ),
        3,
    ),
}
# Op -> which of its inputs says how long its list becomes.
LENGTHS = {
    **dict.fromkeys(op_types('TensorArray TensorArrayV2 TensorArrayV3'), 0),
    **dict.fromkeys(
        op_types(
            'TensorArrayWrite TensorArrayWriteV2 TensorArrayWriteV3 TensorListReserve '
            'TensorListResize'
        ),
        1,
    ),
    'TensorListScatterV2': 3,
}

# Name of an input -> the constant that it names, if it does.
Constants = Callable[[str], Optional[tf.NodeDef]]


def problem(node: tf.NodeDef, constants: Constants) -> str:
    """How a node fills the memory; '' if constants do not say that it does.

    Args:
      node: of the graph, or of a function; it has all its inputs.
      constants: of the same graph or function.
    """
    if node.op == 'Range':
        start, limit, delta = [_numbers(n, constants) for n in node.input[:3]]
        return _range_problem(start, limit, delta)
    known = SIZES.get(node.op, LENGTHS.get(node.op))
    found = [] if known is None else _numbers(node.input[known], constants)
    if node.op in LENGTHS:
        return length_problem(max(found, default=0))
    is_large = element_count(found) > _MOST_ELEMENTS
    return f'makes a tensor of {found}; expected at most {_NUMBERS}' if is_large else ''


def length_problem(length: int) -> str:
    """How a list of some length fills the memory; '' if it does not."""
    is_long = length > MOST_ITEMS
    most = f'expected at most {MOST_ITEMS:,}'
    return f'makes a list of {length:,} items; {most}' if is_long else ''


def _numbers(name: str, constants: Constants) -> List[Any]:
    """The numbers in a constant, as Python has them, which do not overflow."""
    node = constants(name)
    if node is None:
        return []
    value = nodes.constant_value(node)
    return value.ravel().tolist() if value.dtype.kind in 'iuf' else []


def _range_problem(start: List[Any], limit: List[Any], delta: List[Any]) -> str:
    if not (len(start) == len(limit) == len(delta) == 1 and delta[0]):
        return ''
    count = (limit[0] - start[0]) / delta[0]
    is_large = count > _MOST_ELEMENTS
    most = f'expected at most {_NUMBERS}'
    return f'makes a range of {count:,.0f} numbers; {most}' if is_large else ''
