from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from demo.networks import mobilenet_v2
from demo.training import classifier
from tests import sessions

CONFIG = mobilenet_v2.MobileNetV2Config(
    classes=2,
    stages=(mobilenet_v2.Stage(1, 8, 1, 1), mobilenet_v2.Stage(6, 8, 1, 1)),
    stem_channels=8,
    head_channels=8,
)


def params(**changes):
    return {
        'config': CONFIG,
        'optimizer': 'momentum',
        'learning_rate': 0.1,
        'weight_decay': 0.0,
        'l1_decay': 0.0,
        'train_steps': 4,
        **changes,
    }


def data():
    images = np.random.RandomState(0).rand(8, 8, 8, 1).astype(np.float32)
    labels = (images.mean(axis=(1, 2, 3)) > 0.5).astype(np.int32)
    return tf.data.Dataset.from_tensor_slices((images, labels)).repeat().batch(8)


def estimator(folder, **changes):
    config = tf.estimator.RunConfig(
        tf_random_seed=1, session_config=sessions.unoptimized()
    )
    return tf.estimator.Estimator(
        classifier.model_fn, str(folder), config, params(**changes)
    )


@pytest.mark.parametrize('name', sorted(classifier.OPTIMIZERS))
def test_every_optimizer_trains(name, tmp_path):
    rate = classifier.OPTIMIZERS[name].learning_rate
    model = estimator(tmp_path, optimizer=name, learning_rate=rate)

    model.train(data, max_steps=1)

    assert model.get_variable_value('global_step') == 1


def test_evaluation_gives_the_accuracy(tmp_path):
    model = estimator(tmp_path)
    model.train(data, max_steps=4)

    found = model.evaluate(data, steps=1)

    # 8 images, so a multiple of 1/8.
    assert found['accuracy'] * 8 == round(found['accuracy'] * 8)


def test_prediction_gives_logits_and_classes(tmp_path):
    model = estimator(tmp_path)
    model.train(data, max_steps=1)

    found = next(model.predict(lambda: data().map(lambda images, labels: images)))

    assert found['logits'].shape == (2,)
    assert found['classes'] == found['logits'].argmax()


def test_training_graph_has_the_nodes_that_hooks_and_exports_name():
    with tf.Graph().as_default() as graph:
        tf.train.create_global_step()
        classifier.model_fn(
            tf.zeros([2, 8, 8, 1]),
            tf.zeros([2], tf.int32),
            tf.estimator.ModeKeys.TRAIN,
            params(),
        )
        shapes = [graph.get_tensor_by_name(f'{n}:0').shape for n in ('loss', 'output')]

    assert [shape.as_list() for shape in shapes] == [[], [2, 2]]


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('weight_decay', lambda kernel: np.square(kernel).sum() / 2),
        ('l1_decay', lambda kernel: np.abs(kernel).sum()),
    ],
)
def test_decay_counts_the_kernels_only(name, expected):
    losses = []
    for factor in (0.0, 1.0):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(1)
            tf.train.create_global_step()
            spec = classifier.model_fn(
                tf.zeros([2, 8, 8, 1]),
                tf.zeros([2], tf.int32),
                tf.estimator.ModeKeys.TRAIN,
                params(**{name: factor}),
            )
            session.run(tf.global_variables_initializer())
            variables = session.run(tf.trainable_variables())
            total = sum(expected(value) for value in variables if value.ndim == 4)
            losses.append(session.run(spec.loss))

    assert losses[1] - losses[0] == pytest.approx(total, rel=1e-5)


def test_retraining_starts_from_the_pretrained_weights(tmp_path):
    first = estimator(tmp_path / 'first')
    first.train(data, max_steps=2)
    path = first.latest_checkpoint()

    second = estimator(
        tmp_path / 'second', pretrained_model_path=path, learning_rate=0.0
    )
    second.train(data, max_steps=1)

    name = 'MobilenetV2/expanded_conv_1/expand/weights'
    np.testing.assert_array_equal(
        second.get_variable_value(name), first.get_variable_value(name)
    )
    assert second.get_variable_value('global_step') == 1
