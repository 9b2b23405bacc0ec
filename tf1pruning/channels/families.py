"""Op families that both interpretations of the graph serve with one rule each.

An attribute that only some ops of a family have is listed for all of them.
"""

from __future__ import annotations

from tf1pruning.channels.registry import Family
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS

HAND_ON = Family(
    ('Identity', 'ReadVariableOp', 'StopGradient', 'PreventGradient', 'Snapshot'),
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
