"""Networks are repaired from samples: what depends on what stays comes back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests.steps.repair_networks import (
    MADE,
    NETWORKS,
    SIZE,
    conv,
    normalized,
    several_readers,
    stem,
    strided,
    valid,
    without_bias,
)
from tf1pruning.errors import DataError, OptionError
from tf1pruning.graph.frozen import freeze
from tf1pruning.recovery import layerwise
from tf1pruning.recovery.change import ChangeMeter
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import planning, soft_pruning
from tf1pruning.steps.repairing import repair_model
from tf1pruning.surgery import verify

GONE = (4, 5, 6, 7)


def samples(count=48, seed=0, size=SIZE):
    generator = np.random.RandomState(seed)
    return generator.randn(count, size, size, 3).astype(np.float32)


def batches(images, size=16):
    return Batches.of_arrays({'input': images}, size)


FIT, HELD = batches(samples()), batches(samples(32, seed=1))


def model_of(build, folder, shape=(None, SIZE, SIZE, 3)):
    with tf.Graph().as_default():
        tf.set_random_seed(0)
        tf.identity(build(tf.placeholder(tf.float32, shape, 'input')), 'output')
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            prefix = tf.train.Saver().save(session, str(folder / 'net.ckpt'))
    return tp.load(prefix, outputs=['output'])


def plan_of(model, gone=GONE):
    stem_group = next(g for g in model.groups if g.places[0].variable.endswith('stem'))
    return planning.plan_by_filters(
        model, {stem_group.name: stem_group}, {stem_group.name: gone}, 1, 'block'
    )


def outputs(model, images=None):
    frozen = freeze.freeze(model.graph, model.arrays())
    feeds = {'input': samples(16, seed=2) if images is None else images}
    return verify.run(frozen, model.graph.outputs, feeds)


def change(model, other):
    meter = ChangeMeter(model.graph.outputs)
    meter.update(outputs(model), outputs(other))
    return meter.result().worst


@pytest.mark.parametrize('name', NETWORKS)
def test_what_depends_on_the_kept_channels_comes_back(tmp_path, name):
    model = model_of(NETWORKS[name], tmp_path)
    plan = plan_of(model)

    found = repair_model(model, plan, FIT, HELD)

    assert change(model, soft_pruning.with_zeros(model, plan)) > 0.1
    assert change(model, found.model) < 0.05
    method = 'channels' if name == 'flattened' else 'least squares'
    assert {layer.method for layer in found.layers if layer.before < 55} == {method}
    stripped = tp.strip(found.model, plan)
    assert stripped.comparison.relative < 1e-5
    assert stripped.plan.removed_count == len(GONE)


def test_a_plan_that_removes_nothing_changes_nothing(tmp_path):
    model = model_of(several_readers, tmp_path)

    found = repair_model(model, plan_of(model, gone=()), FIT, HELD)

    assert not found.layers
    for name, array in model.arrays().items():
        np.testing.assert_array_equal(found.model.arrays()[name], array)


def test_removed_channels_are_zeros_and_all_other_layers_stay(tmp_path):
    model = model_of(strided, tmp_path)

    arrays = repair_model(model, plan_of(model), FIT, HELD).model.arrays()

    assert not arrays['reader'][:, :, 4:].any()
    assert not arrays['stem'][..., 4:].any()
    np.testing.assert_array_equal(
        arrays['stem'][..., :4], model.arrays()['stem'][..., :4]
    )


def rectified(x):
    """What goes cannot be made up for, so that some rows are fitted at a price."""
    w = tf.get_variable('stem', [1, 1, 3, MADE])
    bias = tf.get_variable('stem_bias', [MADE])
    y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w, 1, 'SAME'), bias))
    return tf.nn.relu(conv(y, 3, 5) - 0.7)


def test_what_a_relu_cuts_off_is_not_fitted(tmp_path, monkeypatch):
    model = model_of(rectified, tmp_path)
    plan = plan_of(model)

    found = repair_model(model, plan, FIT, HELD)
    monkeypatch.setattr(layerwise, '_ROUNDS', 0)
    plain = repair_model(model, plan, FIT, HELD)

    assert change(model, found.model) < 0.98 * change(model, plain.model)
    (layer,), (before,) = found.layers, plain.layers
    assert layer.before == before.before < before.after < layer.after


def test_one_seed_gives_one_network(tmp_path):
    model = model_of(several_readers, tmp_path)
    options = RepairOptions(seed=5)

    arrays = [
        repair_model(model, plan_of(model), FIT, HELD, options).model.arrays()
        for _ in (0, 1)
    ]

    for name in arrays[0]:
        np.testing.assert_array_equal(arrays[0][name], arrays[1][name])


def deep(x):
    y = stem(x)
    for number in range(6):
        y = tf.nn.relu(conv(y, 3, 6, f'layer_{number}'))
    return y


def counted(images, counts):
    def start():
        counts.append(len(images))
        return batches(images).start()

    return Batches(start, 3)


def test_samples_are_read_once_and_tensors_cross_cuts_in_files(tmp_path):
    model, counts = model_of(deep, tmp_path), []

    found = repair_model(
        model, plan_of(model), counted(samples(), counts), counted(samples(), counts)
    )

    assert counts == [48, 48]
    assert len(found.layers) == 6
    assert 0 < found.disk < 1 << 21


def test_without_room_for_files_the_result_is_the_same(tmp_path):
    model = model_of(deep, tmp_path)
    plan = plan_of(model)
    with_files = repair_model(model, plan, FIT, HELD)

    without = repair_model(model, plan, FIT, HELD, RepairOptions(disk=0))

    assert without.disk == 0
    for name, array in with_files.model.arrays().items():
        np.testing.assert_allclose(without.model.arrays()[name], array, atol=1e-5)


def test_a_branch_makes_up_for_what_another_lost(tmp_path, monkeypatch):
    def residual(x):
        net = tf.nn.relu(stem(x))
        branch = tf.nn.relu(conv(net, 1, 64, 'wide'))
        return tf.add(conv(net, 1, MADE, 'short'), conv(branch, 1, MADE, 'last'))

    model = model_of(residual, tmp_path)
    plan = plan_of(model)
    found = repair_model(model, plan, FIT, HELD)
    monkeypatch.setattr(layerwise.goals, 'goal', lambda *_: None)
    apart = repair_model(model, plan, FIT, HELD)

    assert change(model, found.model) < 0.8 * change(model, apart.model)


def test_where_repair_does_not_help_a_layer_stays_and_is_named(tmp_path):
    model = model_of(strided, tmp_path)
    misleading = batches(np.full([4, SIZE, SIZE, 3], 50, np.float32))

    found = repair_model(model, plan_of(model), misleading, HELD)

    (layer,) = found.layers
    assert layer.method == 'none'
    assert layer.note == 'the samples that choose fit better without a repair'
    assert layer.after == layer.before
    np.testing.assert_array_equal(
        found.model.arrays()['reader_b'], model.arrays()['reader_b']
    )


def test_kernels_that_are_computed_stay_and_are_named(tmp_path):
    def net(x):
        w = tf.get_variable('reader', [3, 3, MADE, 5])
        return tf.nn.conv2d(stem(x), tf.nn.l2_normalize(w, [0, 1, 2]), 1, 'SAME')

    model = model_of(net, tmp_path)
    (layer,) = repair_model(model, plan_of(model), FIT, HELD).layers
    assert layer.method == 'none'
    assert 'cannot carry other values' in layer.note


def test_what_has_no_room_for_an_intercept_is_named(tmp_path):
    model = model_of(without_bias, tmp_path)
    (layer,) = repair_model(model, plan_of(model), FIT, HELD).layers
    assert layer.note == 'nothing behind it takes up an intercept'


def test_large_layers_are_repaired_by_their_channels(tmp_path):
    model = model_of(valid, tmp_path)
    plan = plan_of(model)

    found = repair_model(model, plan, FIT, HELD, RepairOptions(memory=1000))

    assert [layer.method for layer in found.layers] == ['channels']
    assert change(model, found.model) < 0.05


def test_frozen_graphs_are_repaired(tmp_path):
    model = model_of(normalized, tmp_path)
    path = str(tmp_path / 'frozen.pb')
    freeze.write_frozen(path, freeze.freeze(model.graph, model.arrays()))
    frozen = tp.load(path, outputs=['output'])

    found = repair_model(frozen, plan_of(frozen), FIT, HELD)

    assert found.model.is_frozen
    assert change(frozen, found.model) < 0.05
    assert tp.strip(found.model).plan.removed_count == len(GONE)


@pytest.mark.parametrize(
    'data, message',
    [
        (batches(np.full([4, SIZE, SIZE, 3], np.nan, 'f')), 'NaN'),
        (batches(np.zeros([4, SIZE, SIZE, 2], 'f')), 'does not run on batch 1'),
        (Batches.of_arrays({'other': samples(4)}, 2), "needs the inputs 'input'"),
        (Batches(lambda: []), 'too few samples'),
    ],
)
def test_bad_samples_are_refused(tmp_path, data, message):
    model = model_of(strided, tmp_path)
    with pytest.raises(DataError, match=message):
        repair_model(model, plan_of(model), data, HELD)


def test_constant_samples_do_no_harm(tmp_path):
    model = model_of(strided, tmp_path)
    plain = batches(np.ones([8, SIZE, SIZE, 3], np.float32))

    found = repair_model(model, plan_of(model), plain, plain)

    images = np.ones([1, SIZE, SIZE, 3], np.float32)
    for a, b in zip(outputs(model, images), outputs(found.model, images)):
        np.testing.assert_allclose(a, b, atol=0.05)


def test_plans_of_filters_are_refused(tmp_path):
    model = model_of(strided, tmp_path)
    plan = dataclasses.replace(plan_of(model), mode='filter')
    with pytest.raises(OptionError, match='mode'):
        repair_model(model, plan, FIT, HELD)


def test_repair_of_the_api_measures_on_samples_that_took_no_part(tmp_path):
    model = model_of(normalized, tmp_path)
    plan = plan_of(model)

    found = tp.repair(model, plan, tp.samples(model, {'input': samples(100)}))

    assert found.helps
    assert found.after.worst < 0.05 < found.before.worst
    lines = str(found).splitlines()
    assert 'repaired by  dB before  dB after' in lines[0]
    assert lines[-1].startswith('Held-out samples: change of the outputs')
    soft = tp.soft_prune(found.model, plan, str(tmp_path / 'soft' / 'model.ckpt'))
    assert change(found.model, soft) == 0


@pytest.mark.parametrize('fields', [{'memory': -1}, {'disk': -1}, {'seed': -1}])
def test_options_out_of_range_are_refused(fields):
    with pytest.raises(OptionError, match=next(iter(fields))):
        RepairOptions(**fields)
