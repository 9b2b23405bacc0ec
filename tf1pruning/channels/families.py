"""Op families that both interpretations of the graph serve with one rule each.

An attribute that only some ops of a family have is listed for all of them.
"""

from __future__ import annotations

from tf1pruning.channels.registry import Family
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS

HAND_ON = Family(
    (
        'GuaranteeConst',
        'Identity',
        'PreventGradient',
        'ReadVariableOp',
        'Snapshot',
        'StopGradient',
    ),
    'T dtype message',
)
ENTRIES = Family(('Enter',), 'T frame_name is_constant parallel_iterations')
CONVOLUTIONS = Family(
    ('Conv2D', 'Conv3D'),
    'T strides use_cudnn_on_gpu padding explicit_paddings data_format dilations',
)
TRANSPOSED_CONVOLUTIONS = Family(
    ('Conv2DBackpropInput', 'Conv3DBackpropInputV2'),
    f'{CONVOLUTIONS.attributes} Tshape',
)
POOLING = Family(
    ('AvgPool', 'AvgPool3D', 'MaxPool', 'MaxPool3D'),
    'T ksize strides padding data_format explicit_paddings',
)
BATCH_NORM = Family(BATCH_NORM_OPS, 'T U epsilon data_format is_training')
CROPS = Family(('CropAndResize',), 'T method extrapolation_value')
SEGMENTS = Family(
    ('SegmentMax', 'SegmentMean', 'SegmentMin', 'SegmentSum', 'UnsortedSegmentSum'),
    'T Tindices Tnumsegments',
)
RUNNING_SUMS = Family(('Cumsum',), 'T Tidx exclusive reverse')
SEQUENCES = Family(('ReverseSequence',), 'T Tlen seq_dim batch_dim')
ROLLS = Family(('Roll',), 'T Tshift Taxis')
REVERSALS = Family(('ReverseV2',), 'T Tidx')
LARGEST = Family(('TopKV2',), 'T sorted')
ROWS_AT = Family(('GatherNd',), 'Tparams Tindices')
PATCHES = Family(('ExtractImagePatches',), 'T ksizes strides rates padding')
POOLING_OF_SIZES = Family(('MaxPoolV2',), 'T padding data_format')
POOLING_WITH_POSITIONS = Family(
    ('MaxPoolWithArgmax',), 'T Targmax ksize strides padding include_batch_in_index'
)
FRACTIONAL_POOLING = Family(
    ('FractionalAvgPool', 'FractionalMaxPool'),
    'T pooling_ratio pseudo_random overlapping deterministic seed seed2',
)
ROUNDING = Family(
    ('QuantizeAndDequantizeV2', 'QuantizeAndDequantizeV3'),
    'T signed_input num_bits range_given round_mode narrow_range',
)
