"""Object-based checkpoints, as tf.keras and `tf.train.Checkpoint` write them."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning import plan as plan_lib
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError
from tf1pruning.export.frozen import FrozenFormat
from tf1pruning.models import reading
from tf1pruning.report import analysis
from tf1pruning.steps import exporting, soft_pruning, stripping
from tf1pruning.training import warm_start

LEARNED = [
    'first/bias',
    'first/kernel',
    'norm/beta',
    'norm/gamma',
    'norm/moving_mean',
    'norm/moving_variance',
    'second/bias',
    'second/kernel',
]
IMAGE = np.random.RandomState(3).standard_normal([2, 6, 6, 3]).astype(np.float32)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """One trained Keras model: `saved`, `exported`, `objects` with `objects.meta`."""
    folder = str(tmp_path_factory.mktemp('keras'))
    with tf.Graph().as_default(), tf.Session() as session:
        tf.keras.backend.set_session(session)
        model = small_model()
        model.compile('adam', 'mse')
        model.fit(IMAGE, np.ones([2, 4], np.float32), verbose=0)
        model.save(os.path.join(folder, 'saved'), save_format='tf')
        tf.keras.experimental.export_saved_model(
            model, os.path.join(folder, 'exported')
        )
        objects = os.path.join(folder, 'objects')
        tf.train.Checkpoint(net=model, optimizer=model.optimizer).write(
            objects, session=session
        )
        tf.train.Saver().export_meta_graph(objects + '.meta')
        np.save(os.path.join(folder, 'answers'), model.predict(IMAGE))
    return folder


def small_model():
    layers = tf.keras.layers
    x = entry = layers.Input([6, 6, 3], name='image')
    x = layers.Conv2D(8, 3, name='first')(x)
    x = layers.BatchNormalization(name='norm')(x)
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(entry, layers.Dense(4, name='second')(x))


@pytest.fixture(params=['saved', 'exported', 'objects'])
def source(request, folder):
    named = ('second/BiasAdd',) if request.param == 'objects' else ()
    return reading.load(os.path.join(folder, request.param), named)


def half_of(source):
    (group,) = [group for group in source.groups if group.width == 8]
    return plan_lib.Plan(
        fingerprint=plan_lib.fingerprint([group], source.graph),
        mode=plan_lib.BLOCK,
        channel_multiple=1,
        threshold=None,
        groups=(plan_lib.plan_group(group, [0, 2, 5, 6], 1),),
    )


def test_variables_have_the_names_that_the_graph_knows(source):
    assert sorted(source.weight_keys) == LEARNED
    assert source.variables.shapes['first/kernel'] == (3, 3, 3, 8)
    assert '_CHECKPOINTABLE_OBJECT_GRAPH' not in source.unused_keys


def test_the_groups_are_listed(source):
    found = analysis.analyze(source.trace, source.groups, source.keyed_shapes())

    assert (found.channels, found.prunable_channels) == (12, 8)
    assert found.parameters == 3 * 3 * 3 * 8 + 8 + 4 * 8 + 8 * 4 + 4


def test_nothing_stripped_gives_the_answers_of_keras(source, folder, tmp_path):
    result = stripping.strip_model(source)
    exporting.export(result, str(tmp_path), ['pb'])

    feeds = {source.graph.inputs[0]: IMAGE}
    (found,) = FrozenFormat().answers(str(tmp_path), source.graph.outputs, feeds)

    expected = np.load(os.path.join(folder, 'answers.npy'))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_is_soft_pruned_is_named_and_can_be_stripped(source, tmp_path):
    prefix = str(tmp_path / 'model.ckpt')
    soft_pruning.write_zeros(prefix, source, half_of(source))

    pruned = Checkpoint(prefix)
    assert not pruned.is_object_based
    assert not pruned['first/kernel'][..., [0, 2, 5, 6]].any()
    np.testing.assert_array_equal(
        pruned['first/kernel'][..., 1], source.variables['first/kernel'][..., 1]
    )
    slots = [key for key in pruned if key.endswith('first/kernel/m')]
    assert len(slots) == 1
    assert not pruned[slots[0]][..., [0, 2, 5, 6]].any()
    again = reading.load(prefix, source.graph.outputs)
    result = stripping.strip_model(again)
    assert result.stripped.plan.removed_count == 4
    assert result.comparison.relative <= 1e-5


def test_the_meta_graph_restores_what_was_soft_pruned(folder, tmp_path):
    source = reading.load(os.path.join(folder, 'objects'), ('second/BiasAdd',))
    prefix = str(tmp_path / 'model.ckpt')
    soft_pruning.write_zeros(prefix, source, half_of(source))

    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(prefix + '.meta').restore(session, prefix)
        kernel = session.run(
            session.graph.get_tensor_by_name('first/kernel/Read/ReadVariableOp:0')
        )

    np.testing.assert_array_equal(
        np.flatnonzero(~kernel.any(axis=(0, 1, 2))), [0, 2, 5, 6]
    )


def test_a_warm_start_from_paths_of_objects_is_by_init_fn(folder):
    prefix = os.path.join(folder, 'objects')

    with pytest.raises(CheckpointError, match=r'object-based .* Use init_fn'):
        warm_start.warm_start_settings(prefix)

    with tf.Graph().as_default(), tf.Session() as session:
        kernel = tf.get_variable('first/kernel', [3, 3, 3, 8])
        warm_start.init_fn(prefix)(tf.train.Scaffold(), session)
        np.testing.assert_array_equal(
            session.run(kernel), Checkpoint(prefix)['first/kernel']
        )
