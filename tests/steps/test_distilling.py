from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests import networks
from tests.steps import test_dtypes
from tests.tools import models
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph.frozen import freeze
from tf1pruning.names import TensorRef
from tf1pruning.steps import soft_pruning, stripped_weights, stripping

OPTIONS = tp.DistillOptions(steps=10, rates=(0.003,))
KERNEL = 'net/expanded_conv_1/expand/conv/kernel'
WAYS = {'checkpoint': None, 'saved_model': models.saved_model, 'frozen': models.frozen}


def images(count=24, size=8, seed=0):
    return np.random.RandomState(seed).randn(count, size, size, 3).astype(np.float32)


def distill(small, model, count=24, seed=0, options=OPTIONS, **more):
    """With the samples of a seed, half of which are held out."""
    size = model.graph.view().shape(TensorRef('input', 0))[1]
    given = {'input': images(count, size, seed)}
    samples = tp.samples(model, given, batch_size=4)
    return tp.distill(small, model, samples, options, holdout=0.5, **more)


def stripped_of(model, ratio=0.5, mode='block'):
    plan = tp.choose(model, ratio=ratio, groups='all', mode=mode)
    return stripping.strip_model(soft_pruning.with_zeros(model, plan), plan)


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('model'))
    return models.checkpoint(folder, optimizer='adam')


@pytest.fixture(scope='module')
def model(prefix):
    return tp.load(prefix, ['output'])


@pytest.fixture(scope='module')
def small(model):
    return stripped_of(model)


@pytest.fixture(scope='module')
def distilled(small, model):
    return distill(small, model)


@pytest.mark.parametrize('way', WAYS)
def test_it_works_on_every_kind_of_model(prefix, tmp_path, way, distilled):
    make = WAYS[way]
    path = prefix if make is None else make(str(tmp_path), prefix)
    model = tp.load(path, ['output'])

    found = distill(stripped_of(model), model)

    assert found.after.worst < found.before.worst
    assert found.stripped.comparison.relative <= 1e-5
    assert found.stripped.stripped.plan.widths() == distilled.stripped.plan.widths()
    np.testing.assert_allclose(found.losses, distilled.losses, rtol=1e-3)
    assert found.fixed == {}


def test_the_trained_network_is_stripped_and_exported_like_any(
    distilled, small, model, tmp_path
):
    exports = tp.save(distilled.stripped, tmp_path, ['ckpt', 'pb'])

    kernel = Checkpoint(str(tmp_path / 'stripped.ckpt'))[KERNEL]
    assert [each.problem for each in exports.written] == ['', '']
    assert kernel.shape == small.stripped.arrays[KERNEL].shape
    assert not np.array_equal(kernel, small.stripped.arrays[KERNEL])
    assert distilled.stripped.after == small.after
    assert str(distilled).startswith('Distilled: best after ')


def test_removed_channels_stay_zero_and_so_do_slots(distilled, small):
    plan = small.plan
    variables = distilled.stripped.original.variables

    for cut in plan.zeroed_cuts:
        gone = np.take(variables[cut.variable], cut.indices, cut.axis)
        assert not gone.any()
    assert variables[KERNEL].any()
    assert not variables[f'{KERNEL}/Adam'].any()
    mean = 'net/Conv/BatchNorm/moving_mean'
    np.testing.assert_array_equal(variables[mean], small.original.variables[mean])


def test_the_training_goes_on_from_the_distilled_weights(distilled, tmp_path):
    options = tp.ExportOptions(keep_optimizer=True)

    tp.save(distilled.stripped, tmp_path, ['ckpt'], options)

    written = Checkpoint(str(tmp_path / 'stripped.ckpt'))
    assert written[f'{KERNEL}/Adam'].shape == written[KERNEL].shape
    assert not written[f'{KERNEL}/Adam'].any()


def test_a_run_goes_on_from_its_file(small, model, distilled, tmp_path):
    path = tmp_path / 'run.npz'
    first = distill(small, model, state=path)
    calls = []
    again = distill(small, model, state=path, progress=calls.append)

    assert first.losses == again.losses == distilled.losses
    assert calls == []
    with pytest.raises(tp.DataError, match='state of another training'):
        distill(small, model, seed=1, state=path)


def test_where_nothing_is_better_the_network_stays(small, model):
    options = tp.DistillOptions(steps=2, rates=(1e9,))

    found = distill(small, model, options=options)

    assert found.stripped is small
    assert found.before == found.after
    assert str(found).startswith('Nothing better was found in 2 steps')


def test_what_was_folded_is_trained_as_well(model):
    small = stripped_of(model, mode='filter')

    found = distill(small, model)

    assert small.stripped.folded
    assert found.after.worst < found.before.worst
    assert found.stripped.comparison.relative <= 1e-5
    assert found.stripped.plan.widths() == small.plan.widths()


def layers(kernel_of, dtype=tf.float32):
    """Two convolutions, the kernel of the first computed of a variable."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(dtype, [None, 6, 6, 3], 'input')
        kernel = kernel_of(tf.get_variable('first', [3, 3, 3, 8], dtype))
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, 'SAME'))
        x = tf.nn.conv2d(x, tf.get_variable('second', [1, 1, 8, 4], dtype), 1, 'SAME')
        tf.reduce_mean(x, [1, 2], name='output')
    return graph


def normalized(kernel):
    return tf.get_variable('gain', [8]) * tf.nn.l2_normalize(kernel, [0, 1, 2])


def masked(kernel):
    return kernel * tf.get_variable('mask', kernel.shape, trainable=False)


def centred(kernel):
    return kernel - tf.reduce_mean(kernel, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ('kernel_of', 'fixed'),
    [
        (masked, {}),
        (centred, {'sub': 'became a constant'}),
    ],
)
def test_computed_kernels_are_trained_where_they_can_be(tmp_path, kernel_of, fixed):
    prefix = networks.save(layers(kernel_of), str(tmp_path / 'net'))
    model = tp.load(prefix, ['output'])
    small = stripped_of(model)

    found = distill(small, model)

    assert found.fixed == fixed
    assert found.after.worst < found.before.worst
    assert found.stripped.comparison.relative <= 1e-5
    assert ('Not trained: ' in str(found)) == bool(fixed)


def test_of_a_frozen_graph_all_but_statistics_is_trained(tmp_path):
    with layers(normalized).as_default() as graph:
        x = graph.get_tensor_by_name('output:0')
        for fused in (False, True):
            x = tf.expand_dims(tf.expand_dims(x, 1), 1)
            x = tf.layers.batch_normalization(x, fused=fused, name=f'norm{fused:d}')
            x = tf.layers.flatten(x)
        tf.identity(x, name='scores')
    model = tp.load(networks.save(graph, str(tmp_path / 'net')), ['scores'])
    path = str(tmp_path / 'frozen.pb')
    freeze.write_frozen(path, freeze.freeze(model.graph, model.arrays()))
    model = tp.load(path, ['scores'])
    small = stripped_of(model)

    found = distill(small, model)

    before, after = (
        {
            name: stripped_weights.weight(each, name)
            for name in small.original.trace.stored
        }
        for each in (small, found.stripped)
    )
    same = [name for name in before if np.array_equal(before[name], after[name])]
    assert sorted(same) == [
        'l2_normalize/Maximum/y',
        'norm0/moving_variance',
        'norm1/moving_mean',
        'norm1/moving_variance',
    ]
    assert found.fixed == {}


@pytest.mark.parametrize('dtype', [tf.float64, tf.float16, tf.bfloat16])
def test_other_types_are_trained_if_they_keep_what_was_learned(tmp_path, dtype):
    model = tp.load(test_dtypes.saved(tmp_path, dtype), ['output'])
    small = stripped_of(model)

    def train():
        return distill(small, model)

    if dtype == tf.float64:
        assert train().after.worst < train().before.worst
    else:
        with pytest.raises(tp.GraphError, match=r'No weight .* \(is of the type'):
            train()


def test_another_network_is_no_teacher(small, tmp_path):
    graph = layers(masked)
    with graph.as_default():
        tf.identity(graph.get_tensor_by_name('output:0'), name='scores')
    other = tp.load(networks.save(graph, str(tmp_path / 'net')), ['scores'])

    samples = tp.samples(small.original, {'input': images()})
    with pytest.raises(tp.GraphError, match=r"outputs 'output' and .* 'scores'"):
        tp.distill(small, other, samples)
