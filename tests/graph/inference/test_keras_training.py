"""What a Keras training leaves infers like the same model with learning phase 0."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.meta_graphs import meta_graph
from tf1pruning.surgery import verify

IMAGE = np.random.RandomState(0).standard_normal([2, 32, 32, 3]).astype(np.float32)


def small():
    """A Keras model and its outputs."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Conv2D(8, 3, strides=2, input_shape=(32, 32, 3), name='conv'),
            layers.BatchNormalization(name='norm'),
            layers.ReLU(),
            layers.SpatialDropout2D(0.3),
            layers.GlobalAveragePooling2D(),
            layers.BatchNormalization(name='dense_norm'),
            layers.Dropout(0.5),
            layers.Dense(3, name='logits'),
        ]
    )
    return model, ['logits/BiasAdd']


def mobilenet():
    """The signal of random weights gets lost in depth, so an early layer counts too."""
    model = tf.keras.applications.MobileNet(
        (32, 32, 3), alpha=0.25, weights=None, include_top=False
    )
    return model, ['conv_pw_3_relu/Relu6', 'conv_pw_13_relu/Relu6']


def expected(build, prefix):
    """What the model answers with learning phase 0, from a checkpoint."""
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.keras.backend.set_learning_phase(0)
        model, outputs = build()
        tf.train.Saver(model.variables).restore(session, prefix)
        feeds = {model.inputs[0]: IMAGE}
        return session.run([f'{name}:0' for name in outputs], feeds), outputs


def check(build, prefix):
    answers, outputs = expected(build, prefix)
    graph = meta_graph.read_meta_graph(f'{prefix}.meta')

    model = derivation.derive(graph, outputs)

    variables = Checkpoint(prefix)
    arrays = {v.node: variables[v.key] for v in model.variables}
    feeds = {model.inputs[0]: IMAGE}
    found = verify.run(freeze(model, arrays), model.outputs, feeds)
    for ours, theirs in zip(found, answers):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert np.abs(answers[0][0] - answers[0][1]).max() > 1e-3


@pytest.mark.parametrize('build', [small, mobilenet])
def test_a_learning_phase_as_placeholder_saved_by_a_saver(build, tmp_path):
    with tf.Graph().as_default() as graph:
        model, _ = build()
        if build is small:
            with tf.control_dependencies(model.updates):
                loss = tf.nn.l2_loss(model.output)
                tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    prefix = networks.save(graph, str(tmp_path / 'model.ckpt'))

    check(build, prefix)


def test_an_estimator_made_of_a_keras_model(tmp_path):
    def images():
        generator = np.random.RandomState(1)
        image = 3 + generator.standard_normal([8, 32, 32, 3]).astype(np.float32)
        label = generator.standard_normal([8, 3]).astype(np.float32)
        data = tf.data.Dataset.from_tensor_slices(({'conv_input': image}, label))
        return data.repeat().batch(4)

    with tf.Graph().as_default():
        model, _ = small()
        model.compile(tf.keras.optimizers.SGD(0.1, 0.9), 'mse')
        estimator = tf.keras.estimator.model_to_estimator(model, model_dir=tmp_path)
    estimator.train(images, steps=5)

    check(small, tf.train.latest_checkpoint(str(tmp_path)))
