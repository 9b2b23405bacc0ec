"""Writes networks as TensorFlow 2 saves them, for TensorFlow 1.15.

  python scripts/tf2_files.py
  python scripts/tf2_files.py FOLDER

The first writes small ones, which the tests read; run it with each version that is
meant (2.15.1 and 2.21.0 were). The second writes MobileNetV2 of each kind of Keras.
Files go to a folder of the version, and beside each network lie a batch and its answers
(`answers.npz`).
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Callable, Dict, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = os.path.join(_ROOT, 'tests', 'tf2_files')
_SHAPE = (8, 8, 3)
_CLASSES = 5

Build = Callable[[], tf.keras.Model]
Write = Callable[[str, np.ndarray], np.ndarray]


def main() -> None:
    """Writes all kinds."""
    if len(sys.argv) > 1:
        _write(sys.argv[1], _keras_kinds(_mobilenet), (96, 96, 3))
    else:
        modules = {
            'module': _written(Convolutions),
            'conditional': _written(Conditional),
            'loop': _written(Loop),
            'dropout': _written(Dropout),
        }
        _write(FILES, {**_keras_kinds(_small), **modules}, _SHAPE)


def _write(root: str, kinds: Dict[str, Write], shape: Tuple[int, ...]) -> None:
    folder = os.path.join(root, '.'.join(tf.__version__.split('.')[:2]))
    shutil.rmtree(folder, ignore_errors=True)
    images = np.random.RandomState(0).randn(4, *shape).astype(np.float32)
    for name, write in kinds.items():
        path = os.path.join(folder, name)
        os.makedirs(path)
        np.random.seed(1)
        tf.random.set_seed(1)
        answers = write(path, images)
        np.savez(os.path.join(path, 'answers.npz'), x=images, y=answers)


def _keras_kinds(build: Build) -> Dict[str, Write]:
    kinds: Dict[str, Callable[[str, tf.keras.Model], None]] = {
        'keras_saved_model': lambda path, model: tf.saved_model.save(model, path),
        'keras_export': lambda path, model: model.export(path),
        'keras_frozen': _freeze,
    }
    if hasattr(tf, 'estimator'):  # Keras 2.
        kinds['keras_save'] = _save

    def writing(save: Callable[[str, tf.keras.Model], None]) -> Write:
        def write(path: str, images: np.ndarray) -> np.ndarray:
            model = build()
            save(path, model)
            return model(images).numpy()

        return write

    return {name: writing(save) for name, save in kinds.items()}


def _save(path: str, model: tf.keras.Model) -> None:
    """With its training, whose graph has dropout and moments in it."""
    model.compile('sgd', tf.keras.losses.SparseCategoricalCrossentropy(True))
    model.save(path, save_format='tf')


def _freeze(path: str, model: tf.keras.Model) -> None:
    spec = tf.TensorSpec(model.inputs[0].shape, tf.float32, 'image')
    traced = tf.function(lambda image: model(image)).get_concrete_function(spec)
    frozen = convert_to_constants.convert_variables_to_constants_v2(traced)
    with open(os.path.join(path, 'frozen.pb'), 'wb') as file:
        file.write(frozen.graph.as_graph_def().SerializeToString())


def _mobilenet() -> tf.keras.Model:
    shape = (96, 96, 3)
    return _drawn(
        tf.keras.applications.MobileNetV2(shape, 0.35, weights=None, classes=10)
    )


def _small() -> tf.keras.Model:
    """A stem, an inverted residual and a classifier."""
    layers = tf.keras.layers
    inputs = layers.Input(_SHAPE)
    stem = _activated(layers.Conv2D(8, 3, padding='same', use_bias=False)(inputs))
    wide = _activated(layers.Conv2D(16, 1, use_bias=False)(stem))
    deep = _activated(layers.DepthwiseConv2D(3, padding='same', use_bias=False)(wide))
    narrow = layers.Conv2D(8, 1, use_bias=False)(deep)
    summed = layers.Add()([stem, layers.BatchNormalization()(narrow)])
    dropped = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(summed))
    return _drawn(tf.keras.Model(inputs, layers.Dense(_CLASSES)(dropped)))


def _drawn(model: tf.keras.Model) -> tf.keras.Model:
    """The model, with moving statistics that are not those of the start."""
    for weight in model.weights:
        if 'moving_variance' in weight.name or 'gamma' in weight.name:
            weight.assign(np.random.uniform(0.5, 1.5, weight.shape))
        if 'moving_mean' in weight.name:
            weight.assign(np.random.uniform(-0.2, 0.2, weight.shape))
    return model


def _activated(tensor: tf.Tensor) -> tf.Tensor:
    normalized = tf.keras.layers.BatchNormalization()(tensor)
    return tf.keras.layers.ReLU(6.0)(normalized)


def _written(module: Callable[[], tf.Module]) -> Write:
    def write(path: str, images: np.ndarray) -> np.ndarray:
        network = module()
        spec = tf.TensorSpec([None, *_SHAPE], tf.float32, 'image')
        function = tf.function(lambda image: {'scores': network(image)})
        signature = function.get_concrete_function(spec)
        tf.saved_model.save(network, path, signature)
        return network(images).numpy()

    return write


class Convolutions(tf.Module):
    """Two convolutions whose variables have no names of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self._drawn(3, 3, 3, 8)
        self.bias = self._drawn(8)
        self.second = self._drawn(3, 3, 8, _CLASSES)

    @staticmethod
    def _drawn(*shape: int) -> tf.Variable:
        return tf.Variable(np.random.randn(*shape).astype(np.float32))

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        convolved = tf.nn.conv2d(image, self.first, 1, 'SAME')
        hidden = self.changed(tf.nn.relu(convolved + self.bias), image)
        return tf.reduce_mean(tf.nn.conv2d(hidden, self.second, 1, 'SAME'), [1, 2])

    def changed(self, hidden: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        """What lies between the convolutions."""
        del image
        return hidden


class Conditional(Convolutions):
    """The channels are halved if the image is bright, else doubled."""

    def changed(self, hidden: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        is_bright = tf.reduce_mean(image) > 0.0
        return tf.cond(is_bright, lambda: hidden * 0.5, lambda: hidden * 2.0)


class Loop(Convolutions):
    """A convolution is repeated three times, with a variable that the loop reads."""

    def __init__(self) -> None:
        super().__init__()
        self.repeated = self._drawn(1, 1, _CLASSES, _CLASSES)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        _, found = tf.while_loop(
            lambda step, _: step < 3,
            lambda step, found: (step + 1, found @ self.repeated[0, 0]),
            [tf.constant(0), super().__call__(image)],
        )
        return found


class Dropout(Convolutions):
    """The channels are dropped by lot in what is written, not in the answers."""

    def changed(self, hidden: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        return hidden if tf.executing_eagerly() else tf.nn.dropout(hidden, 0.25)


if __name__ == '__main__':
    main()
