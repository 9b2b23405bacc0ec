"""Ops that take rows, regions or windows, branch, loop or look up."""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels.families.row import WIDTH, family

ROIS = [[0.0, 0.0, 0.5, 0.5], [0.2, 0.2, 1.0, 1.2]]


def crops(x: tf.Tensor) -> tf.Tensor:
    return tf.image.crop_and_resize(x, ROIS, [0, 1], [5, 5])


def pixels_at(x: tf.Tensor) -> tf.Tensor:
    """Pixels by their positions in all examples."""
    picked = tf.raw_ops.GatherNd(params=x, indices=[[[0, 1, 2], [1, 3, 4]]] * 2)
    return tf.reduce_mean(picked, 1)


def rows_of_the_brightest(x: tf.Tensor) -> tf.Tensor:
    row = tf.argmax(tf.reduce_sum(x, [0, 2, 3]))
    return tf.gather(x, [row, 2], axis=1)


def largest_rows(x: tf.Tensor) -> tf.Tensor:
    turned = tf.transpose(tf.reduce_mean(x, 2), [0, 2, 1])
    return tf.reduce_mean(tf.raw_ops.TopKV2(input=turned, k=3)[0], 2)


def old_max_pool(x: tf.Tensor) -> tf.Tensor:
    sizes = [1, 3, 3, 1]
    return tf.raw_ops.MaxPoolV2(input=x, ksize=sizes, strides=sizes, padding='SAME')


def pool_with_positions(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool_with_argmax(x, [1, 2, 2, 1], [1, 2, 2, 1], 'SAME')[0]


def patches(padding: str):
    def build(x: tf.Tensor) -> tf.Tensor:
        sizes = [1, 2, 2, 1]
        return tf.image.extract_image_patches(x, sizes, sizes, [1, 1, 1, 1], padding)

    return build


def fractional(function):
    return lambda x: function(x, [1.0, 1.5, 1.5, 1.0], deterministic=True, seed=3)[0]


def rolled(x: tf.Tensor) -> tf.Tensor:
    return tf.roll(tf.reverse(x, [1, 3]), [1, 2], [1, 2])


def reversed_lines(x: tf.Tensor) -> tf.Tensor:
    return tf.reverse_sequence(x, [3, 5], seq_axis=1)


def spread(x: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(x, [1, 2], keepdims=True)
    return x + tf.broadcast_to(mean, tf.shape(x))


def stated(x: tf.Tensor) -> tf.Tensor:
    x = tf.raw_ops.EnsureShape(input=x, shape=[None, 8, 8, WIDTH])
    return tf.accumulate_n([x, tf.tanh(x)])


def old_concat(x: tf.Tensor) -> tf.Tensor:
    other = networks.conv(x, 5, name='other')
    return tf.raw_ops.Concat(concat_dim=3, values=[x, other])


def branch(x: tf.Tensor) -> tf.Tensor:
    is_bright = tf.reduce_sum(x) > 0.1
    return tf.cond(
        is_bright,
        lambda: tf.concat([x, networks.conv(x, 4, name='other')], -1),
        lambda: tf.nn.relu(networks.conv(x, WIDTH + 4, name='wide')),
    )


def loop(x: tf.Tensor) -> tf.Tensor:
    """A recurrent network over the rows; its input enters as a list."""
    rows = tf.reduce_mean(x, 2)
    outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(7), rows, dtype=tf.float32)
    return outputs[:, -1]


def parts_of_kernels(x: tf.Tensor) -> tf.Tensor:
    """As the recurrent layers of Keras keep the kernels of their gates."""
    pixels = tf.reduce_mean(x, [1, 2])
    kernel = tf.get_variable('gates/kernel', [WIDTH, 12])
    bias = tf.get_variable('gates/bias', [12])
    first, second = tf.split(kernel[:, :8], 2, 1)
    third, _ = tf.split(kernel[:, 8:], [3, 1], 1)
    gates = [
        tf.nn.bias_add(tf.matmul(pixels, first), bias[:4]),
        tf.matmul(pixels, second),
        tf.matmul(pixels, third),
    ]
    return tf.concat([tf.nn.relu(gate) for gate in gates], 1)


def lstm(x: tf.Tensor) -> tf.Tensor:
    """All steps of an LSTM in one op."""
    units, rows = 4, tf.transpose(tf.reduce_mean(x, 2), [1, 0, 2])
    zeros = tf.fill([tf.shape(x)[0], units], 0.0)
    outputs = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.constant(8, tf.int64),
        x=rows,
        cs_prev=zeros,
        h_prev=zeros,
        w=tf.get_variable('lstm/kernel', [WIDTH + units, 4 * units]),
        wci=tf.zeros([units]),
        wcf=tf.zeros([units]),
        wco=tf.zeros([units]),
        b=tf.get_variable('lstm/bias', [4 * units]),
    )
    return outputs.h[-1]


def lstm_cell(x: tf.Tensor) -> tf.Tensor:
    units, zeros = 4, tf.fill([tf.shape(x)[0], 4], 0.0)
    return tf.raw_ops.LSTMBlockCell(
        x=tf.reduce_mean(x, [1, 2]),
        cs_prev=zeros,
        h_prev=zeros,
        w=tf.get_variable('lstm/kernel', [WIDTH + units, 4 * units]),
        wci=tf.zeros([units]),
        wcf=tf.zeros([units]),
        wco=tf.zeros([units]),
        b=tf.get_variable('lstm/bias', [4 * units]),
    ).h


def gru_cell(x: tf.Tensor) -> tf.Tensor:
    units = 4
    return tf.raw_ops.GRUBlockCell(
        x=tf.reduce_mean(x, [1, 2]),
        h_prev=tf.fill([tf.shape(x)[0], units], 0.5),
        w_ru=tf.get_variable('gates/kernel', [WIDTH + units, 2 * units]),
        w_c=tf.get_variable('candidate/kernel', [WIDTH + units, units]),
        b_ru=tf.get_variable('gates/bias', [2 * units]),
        b_c=tf.get_variable('candidate/bias', [units]),
    ).h


def lookup(x: tf.Tensor, **options: bool) -> tf.Tensor:
    """What is brightest has a row in a table."""
    table = tf.get_variable('table/embedding', [8, 10], **options)
    row = tf.argmax(tf.reduce_sum(x, [2, 3]), 1)
    return tf.concat([tf.reduce_mean(x, [1, 2]), tf.gather(table, row)], 1)


def quantized(function, **options):
    return lambda x: function(input=x, input_min=-1.0, input_max=2.0, **options)


ROWS = (
    family('CropAndResize', crops),
    family('GatherNd', pixels_at),
    family('GatherV2 of computed rows', rows_of_the_brightest),
    family('TopKV2', largest_rows),
    family('MaxPoolV2', old_max_pool),
    family('MaxPoolWithArgmax', pool_with_positions),
    family('ExtractImagePatches', patches('VALID')),
    family('ExtractImagePatches, SAME', patches('SAME')),
    family('FractionalMaxPool', fractional(tf.nn.fractional_max_pool)),
    family('FractionalAvgPool', fractional(tf.nn.fractional_avg_pool)),
    family('ReverseV2 and Roll', rolled),
    family('ReverseSequence', reversed_lines),
    family('Cumsum', lambda x: tf.cumsum(x, 1)),
    *(
        family(name, lambda x, f=f: f(tf.reduce_mean(x, [1, 2]), [0, 0]))
        for name, f in {
            'SegmentMax': tf.math.segment_max,
            'SegmentMean': tf.math.segment_mean,
            'SegmentMin': tf.math.segment_min,
            'SegmentSum': tf.math.segment_sum,
            'UnsortedSegmentSum': lambda x, i: tf.math.unsorted_segment_sum(x, i, 2),
        }.items()
    ),
    family('BroadcastTo', spread),
    family('EnsureShape and AccumulateNV2', stated),
    family('Concat', old_concat, other=5),
    family('Switch and Merge', branch, wide=4),
    family('loop of a recurrent network', loop),
    family(
        'parts of kernels', parts_of_kernels, **{'gates': 4, 'gates#2': 3, 'gates#3': 1}
    ),
    family('BlockLSTM', lstm),
    family('LSTMBlockCell', lstm_cell),
    family('GRUBlockCell', gru_cell),
    family('embedding', lookup, table=10),
    family('ResourceGather', lambda x: lookup(x, use_resource=True), table=10),
    family(
        'QuantizeAndDequantizeV2',
        quantized(tf.raw_ops.QuantizeAndDequantizeV2, range_given=True),
    ),
    family(
        'QuantizeAndDequantizeV3',
        quantized(tf.raw_ops.QuantizeAndDequantizeV3, num_bits=8),
    ),
    family('GuaranteeConst', lambda x: tf.guarantee_const(x)),
)
