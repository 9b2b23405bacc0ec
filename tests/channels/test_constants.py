"""What the analysis calls constant is what TensorFlow computes, for any input."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import by_version, networks
from tests.channels import cases, families, tracing
from tf1pruning import plan as plan_lib
from tf1pruning.channels import constants
from tf1pruning.graph import frames, importing
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph.frozen.channels_last import channels_last
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.names import TensorRef

# The networks of the rows are built and traced once, on one worker.
pytestmark = pytest.mark.xdist_group('families')

VARYING = np.nan
# Weights, not results of an op; ops that no network here can run; and those that cannot
# be fetched.
NOT_PROVEN = frozenset(
    ('Const', 'FusedBatchNorm', 'FusedBatchNormV2', 'Enter', 'Merge', 'Switch')
)


def values_of(model, arrays):
    return {
        TensorRef(step.node.name, output): value
        for step in constants.interpret(model, arrays)
        for output, value in enumerate(step.outputs)
    }


@functools.lru_cache(maxsize=None)
def filter_pruned(row):
    """Some filters of every layer are zero, their biases and statistics are not."""
    case = cases.case_of(families.graph_of(row))
    arrays = case.soft_pruned(case.plan(plan_lib.FILTER))
    return case, arrays, values_of(case.model, arrays)


def known_results(case, arrays, values):
    """Tensors of which a value is known and that are no weights."""
    nodes = {n.name: n for n in case.model.graph_def.node}
    # What lies in a loop or branch cannot be fetched.
    inside = frames.nodes_inside(case.model.graph_def)
    return {
        ref: value
        for ref, value in values.items()
        if value.dtype.kind == 'f'
        and not np.isnan(value).all()
        and ref.node not in arrays
        and ref.node not in inside
        and nodes[ref.node].op not in ('Const', 'VarHandleOp')
    }


@pytest.mark.parametrize('row', families.FAMILIES, ids=str)
def test_constant_channels_have_that_value_for_every_input(row):
    case, arrays, values = filter_pruned(row)
    frozen = freeze(case.model, arrays)
    present = {node.name for node in frozen.node}
    results = known_results(case, arrays, values)
    known = {ref: value for ref, value in results.items() if ref.node in present}

    assert any(ref.node.startswith('last/') for ref in known)
    images = np.random.RandomState(1).standard_normal([2, 2, 8, 8, 3])
    for found in fetch(frozen, known, [{'input:0': image} for image in images]):
        for tensor, value in zip(found, known.values()):
            assert_agrees(tensor, value)


def fetch(frozen, refs, feeds):
    """What the tensors are for each of the feeds."""
    graph = importing.import_graph(channels_last(frozen))
    with tf.Session(graph=graph) as session:
        return [session.run([str(ref) for ref in refs], each) for each in feeds]


def assert_agrees(tensor, value):
    value = np.broadcast_to(value, tensor.shape)
    constant = ~np.isnan(value)
    np.testing.assert_allclose(tensor[constant], value[constant], rtol=1e-4, atol=1e-5)


def test_every_rule_proves_something():
    proven = {'ReadVariableOp'}
    for row in families.FAMILIES:
        case, arrays, values = filter_pruned(row)
        known = {ref.node for ref in known_results(case, arrays, values)}
        proven |= {n.op for n in case.model.graph_def.node if n.name in known}

    not_made = by_version.NOT_MADE
    assert constants.RULES.ops() - proven - not_made == NOT_PROVEN - not_made


def channel_values(middle, arrays=None, inputs=(0.5, -1.0, VARYING)):
    """Values behind `middle`, whose input has these three channels."""

    def build(x):
        return tf.identity(middle(networks.conv(x, 3, name='first')), name='result')

    model = tracing.model_of(build)
    kernel, bias = np.ones([1, 1, 3, 3]), np.array(inputs)
    kernel[..., ~np.isnan(bias)] = 0
    given = {'first/kernel': kernel, 'first/bias': np.nan_to_num(bias)}
    given.update({k: np.array(v, np.float32) for k, v in (arrays or {}).items()})
    found = values_of(model, given)[TensorRef('result', 0)]
    return found.ravel().tolist()


def assert_values(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-6)


def through(x, dtype):
    """A tensor rounded to another type."""
    return tf.cast(tf.cast(x, dtype), tf.float32)


def graded(x):
    """A tensor whose pixels differ."""
    return x * tf.constant(np.linspace(1, 2, 64).reshape([8, 8, 1]), tf.float32)


UNARY = {
    'identity': (tf.identity, [0.5, -1.0]),
    'abs': (tf.abs, [0.5, 1.0]),
    'elu': (tf.nn.elu, [0.5, -0.632121]),
    'exp': (tf.exp, [1.648721, 0.367879]),
    'leaky relu': (lambda x: tf.nn.leaky_relu(x, 0.1), [0.5, -0.1]),
    'negative': (tf.negative, [-0.5, 1.0]),
    'relu': (tf.nn.relu, [0.5, 0.0]),
    'relu6': (lambda x: tf.nn.relu6(x * 20.0), [6.0, 0.0]),
    'selu': (tf.nn.selu, [0.525350, -1.111331]),
    'sigmoid': (tf.sigmoid, [0.622459, 0.268941]),
    'softplus': (tf.nn.softplus, [0.974077, 0.313262]),
    'square': (tf.square, [0.25, 1.0]),
    'tanh': (tf.tanh, [0.462117, -0.761594]),
    'swish': (networks.ACTIVATIONS['swish'], [0.311230, -0.268941]),
    'hard swish': (networks.ACTIVATIONS['hard_swish'], [0.291667, -0.333333]),
    'max pool': (lambda x: tf.nn.max_pool2d(x, 3, 2, 'SAME'), [0.5, -1.0]),
    'average pool': (lambda x: tf.nn.avg_pool2d(x, 3, 2, 'SAME'), [0.5, -1.0]),
    'mean': (lambda x: tf.reduce_mean(x, [1, 2]), [0.5, -1.0]),
    'resize': (lambda x: tf.image.resize_bilinear(x, [5, 5]), [0.5, -1.0]),
    # An op that the analysis has no rule for.
    'cumulative product': (lambda x: tf.cumprod(x, 1), [VARYING, VARYING]),
    'half float': (lambda x: through(x, tf.bfloat16), [0.5, -1.0]),
    'rounded half float': (lambda x: through(x * 0.3, tf.float16), [VARYING, VARYING]),
    'complex number': (lambda x: tf.abs(tf.complex(x, x)), [VARYING, VARYING]),
    'compared strings': (
        lambda x: x * tf.cast(tf.equal(tf.constant('a'), tf.constant('b')), x.dtype),
        [VARYING, VARYING],
    ),
    'whole number': (lambda x: through(x * 3, tf.int8), [1.0, -3.0]),
    'whole number that does not fit': (
        lambda x: through(x * 300 + 128, tf.uint8),
        [VARYING, VARYING],
    ),
    'whole number below zero': (lambda x: through(x * 1.5, tf.int8), [0.0, -1.0]),
    'whole numbers divided': (
        lambda x: tf.cast(
            tf.raw_ops.Div(x=tf.cast(x * 14, tf.int32), y=[4, 4, 4]), x.dtype
        ),
        [1.0, -3.0],
    ),
    'whole numbers that run over': (
        lambda x: tf.cast(tf.cast(x * 100, tf.int8) * 2, x.dtype),
        [100.0, VARYING],
    ),
    'crop beyond the image': (
        lambda x: tf.image.crop_and_resize(x, [[0.0, 0.0, 2.0, 2.0]], [0], [3, 3]),
        None,
    ),
    'crop beyond the image, filled with the constant': (
        lambda x: tf.image.crop_and_resize(
            x, [[0.0, 0.0, 2.0, 2.0]], [0], [3, 3], extrapolation_value=0.5
        ),
        [0.5, VARYING],
    ),
    'running sum': (lambda x: tf.cumsum(x, 1), None),
    'branches that agree': (
        lambda x: tf.cond(
            tf.reduce_sum(x) > 0, lambda: tf.nn.relu(x), lambda: tf.abs(x)
        ),
        [0.5, VARYING],
    ),
    'rounded to a range without zero': (
        lambda x: tf.raw_ops.QuantizeAndDequantizeV2(
            input=x * 0.0, input_min=1.0, input_max=2.0, range_given=True
        ),
        None,
    ),
    'fake-quantized': (tf.quantization.fake_quant_with_min_max_args, None),
    'pixels of other values': (
        lambda x: tf.nn.max_pool2d(graded(x), 2, 2, 'SAME'),
        None,
    ),
    'largest of other values': (lambda x: tf.reduce_max(graded(x), [1, 2]), None),
    'sum': (lambda x: tf.reduce_sum(x, [1, 2]), [32.0, -64.0]),
    'sum over an unknown batch': (lambda x: tf.reduce_sum(x, [0, 1, 2]), None),
    'either': (lambda x: tf.cast(tf.logical_or(x > 0, x > -2), x.dtype), [1.0, 1.0]),
    'one or another': (
        lambda x: tf.where(tf.gather(x, [2, 2, 2], axis=-1) > 0, x, tf.abs(x)),
        [0.5, VARYING],
    ),
    'blocks of pixels': (
        lambda x: tf.space_to_batch_nd(x, [2, 2], [[1, 1], [1, 1]]),
        None,
    ),
    'cropped border': (
        lambda x: tf.batch_to_space_nd(graded(x), [1, 1], [[1, 1], [0, 0]]),
        None,
    ),
    'channels that become pixels': (
        lambda x: tf.depth_to_space(tf.concat([x, x[..., :1]], -1), 2),
        None,
    ),
    'pixels that become channels': (
        lambda x: tf.space_to_depth(x, 2)[..., 3:6],
        [0.5, -1.0],
    ),
    'slice to the end': (lambda x: tf.concat([x, x], -1)[..., 3:], [0.5, -1.0]),
    'taken apart': (lambda x: tf.stack(tf.unstack(x, axis=-1), -1), [0.5, -1.0]),
    'padding of the same value': (
        lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=0.5),
        [0.5, VARYING],
    ),
    'one channel beside a new one': (
        lambda x: tf.concat(
            [tf.pad(x[..., :1], [*[[0, 0]] * 3, [0, 1]]), x[..., 2:]], -1
        ),
        [0.5, 0.0],
    ),
    'mirrored border': (
        lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], 'REFLECT'),
        [0.5, -1.0],
    ),
    'zero padding': (lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), None),
}


@pytest.mark.parametrize(('op', 'expected'), UNARY.values(), ids=UNARY.keys())
def test_an_op_maps_constants_to_constants(op, expected):
    expected = expected or [VARYING, VARYING]
    found = channel_values(op)

    assert_values(np.broadcast_to(found, 3), [*expected, VARYING])


@pytest.mark.parametrize(
    ('mode', 'last'), [('SYMMETRIC', [-1.0, 0.5]), ('REFLECT', [0.5])]
)
def test_channels_are_mirrored(mode, last):
    found = channel_values(
        lambda x: tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, len(last)]], mode),
        inputs=(VARYING, 0.5, -1.0),
    )

    assert_values(found, [VARYING, 0.5, -1.0, *last])


def test_zeros_stay_zero_behind_zero_padding():
    found = channel_values(
        lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        inputs=(0.0, 1.0, VARYING),
    )

    assert_values(found, [0.0, VARYING, VARYING])


@pytest.mark.parametrize(
    ('op', 'expected'),
    [
        (tf.add, [2.5, 2.0, VARYING]),
        (tf.subtract, [-1.5, -4.0, VARYING]),
        (tf.multiply, [1.0, -3.0, 0.0]),
        (tf.maximum, [2.0, 3.0, VARYING]),
        (tf.minimum, [0.5, -1.0, VARYING]),
        (tf.realdiv, [0.25, -0.333333, VARYING]),
        (tf.squared_difference, [2.25, 16.0, VARYING]),
        (tf.nn.bias_add, [2.5, 2.0, VARYING]),
        (lambda x, v: tf.add_n([x, x + v]), [3.0, 1.0, VARYING]),
    ],
)
def test_an_op_combines_constants_and_only_a_zero_factor_stops_an_input(op, expected):
    found = channel_values(
        lambda x: op(x, tf.get_variable('v', [3])), {'v': [2.0, 3.0, 0.0]}
    )

    assert_values(found, expected)


def test_batch_norm_maps_constants_and_a_zero_gamma_makes_one():
    def norm(x):
        return networks.batch_norm(x)

    arrays = {
        'BatchNorm/gamma': [2.0, 2.0, 0.0],
        'BatchNorm/beta': [1.0, 1.0, 7.0],
        'BatchNorm/moving_mean': [0.5, 0.5, 0.5],
        'BatchNorm/moving_variance': [3.999, 3.999, 3.999],
    }

    assert_values(channel_values(norm, arrays), [1.0, -0.5, 7.0])
    arrays['BatchNorm/gamma'] = [2.0, 2.0, 2.0]
    assert_values(channel_values(norm, arrays), [1.0, -0.5, VARYING])


def test_batch_norm_by_the_batch_maps_zeros_to_beta():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 4, 4], 'input')
        gamma, beta = (
            tf.constant([2.0, 2.0, 0.0, 2.0]),
            tf.constant([1.0, 3.0, 5.0, 7.0]),
        )
        x *= tf.constant([0.0, 1.0, 1.0, 0.0])
        tf.nn.fused_batch_norm(x + [0.0, 0.0, 0.0, 2.0], gamma, beta, name='norm')
    meta_graph = tf.train.export_meta_graph(graph=graph)
    model = graph_lib.build(meta_graph.graph_def, ('norm',), meta_graph)

    found = values_of(model, {})[TensorRef('norm', 0)]

    # The last is 7 but for rounding.
    assert_values(np.ravel(found), [1.0, VARYING, 5.0, VARYING])


def layer(size, padding):
    def apply(x):
        kernel = tf.get_variable('kernel', [size, size, 3, 2])
        return tf.nn.conv2d(x, kernel, 1, padding)

    return apply


# Output 0 reads the two constant channels, output 1 the varying one too.
READS = np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 3.0]])


@pytest.mark.parametrize(
    ('size', 'padding', 'inputs', 'expected'),
    [
        (1, 'SAME', (0.5, -1.0, VARYING), [-1.5, VARYING]),
        (1, 'VALID', (0.5, -1.0, VARYING), [-1.5, VARYING]),
        (3, 'VALID', (0.5, -1.0, VARYING), [-13.5, VARYING]),
        (3, 'SAME', (0.5, -1.0, VARYING), [VARYING, VARYING]),
        (3, 'SAME', (0.0, 0.0, VARYING), [0.0, VARYING]),
        (3, 'SAME', (0.0, 0.0, 0.0), [0.0, 0.0]),
        (3, [[0, 0], [1, 1], [0, 0], [0, 0]], (1.0, 0.0, 0.0), [VARYING, VARYING]),
    ],
)
def test_a_convolution_sums_constants_unless_zeros_pad_its_border(
    size, padding, inputs, expected
):
    kernel = np.broadcast_to(READS, [size, size, 3, 2])

    found = channel_values(layer(size, padding), {'kernel': kernel}, inputs)

    assert_values(np.broadcast_to(found, 2), expected)


@pytest.mark.parametrize(
    ('size', 'stride', 'expected'), [(1, 1, -1.5), (1, 2, VARYING), (3, 1, VARYING)]
)
def test_a_transposed_convolution_sums_constants_if_each_output_has_one_tap(
    size, stride, expected
):
    def apply(x):
        kernel = tf.get_variable('kernel', [size, size, 2, 3])
        shape = [tf.shape(x)[0], 8 * stride, 8 * stride, 2]
        return tf.nn.conv2d_transpose(x, kernel, shape, stride)

    kernel = np.broadcast_to(READS.T, [size, size, 2, 3])

    found = channel_values(apply, {'kernel': kernel})

    assert_values(np.broadcast_to(found, 2), [expected, VARYING])


@pytest.mark.parametrize(
    ('padding', 'expected'),
    [
        ('VALID', [4.5, 9.0, -9.0, 0.0, VARYING, VARYING]),
        ('SAME', [VARYING, VARYING, VARYING, 0.0, VARYING, VARYING]),
    ],
)
def test_a_depthwise_convolution_keeps_channels_apart(padding, expected):
    def apply(x):
        kernel = tf.get_variable('kernel', [3, 3, 3, 2])
        return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], padding)

    kernel = np.ones([3, 3, 3, 2]) * [[1.0, 2.0], [1.0, 0.0], [1.0, 1.0]]
    # Weights that sum to zero still respond to a varying channel.
    kernel[0, 0, 2, 1] = -8.0

    assert_values(channel_values(apply, {'kernel': kernel}), expected)


def test_a_kernel_of_cancelling_weights_still_responds_to_its_input():
    kernel = np.zeros([3, 3, 3, 2])
    kernel[0, 0, 2], kernel[1, 1, 2] = 1.0, -1.0

    found = channel_values(layer(3, 'VALID'), {'kernel': kernel}, (0.0, 0.0, VARYING))

    assert_values(np.broadcast_to(found, 2), [VARYING, VARYING])


@pytest.mark.parametrize('turned', [False, True])
def test_a_dense_layer_sums_constants(turned):
    weights = READS.T if turned else READS

    found = channel_values(
        lambda x: tf.matmul(
            tf.reduce_mean(x, [1, 2]),
            tf.get_variable('w', weights.shape),
            transpose_b=turned,
        ),
        {'w': weights},
    )

    assert_values(found, [-1.5, VARYING])


def test_a_concat_joins_constants():
    found = channel_values(lambda x: tf.concat([x, tf.nn.relu(x)], -1))

    assert_values(found, [0.5, -1.0, VARYING, 0.5, 0.0, VARYING])


def test_flattening_repeats_the_constants_of_every_pixel():
    found = channel_values(
        lambda x: tf.layers.flatten(tf.nn.max_pool2d(x, 4, 4, 'VALID'))
    )

    assert_values(found, [0.5, -1.0, VARYING] * 4)


def test_the_model_input_varies():
    model = tracing.model_of(lambda x: tf.nn.relu(x, name='act'))

    values = values_of(model, {})

    assert np.isnan(values[TensorRef('input', 0)]).all()
    assert np.isnan(values[TensorRef('act', 0)]).all()


def test_an_attribute_that_nobody_thought_of_makes_all_vary():
    model = tracing.model_of(lambda x: tf.nn.relu(tf.constant([1.0]), name='a') + x)
    graph_def = model.graph_def
    next(n for n in graph_def.node if n.name == 'a').attr['wrap'].b = True

    values = values_of(model, {})

    assert np.isnan(values[TensorRef('a', 0)]).all()
