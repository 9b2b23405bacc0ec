"""The networks that coverage is measured on: those of the demo, and those of Keras."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, Tuple

import tensorflow.compat.v1 as tf

from demo.networks.catalogue import NETWORKS, Network

Application = Callable[..., tf.keras.Model]

# Name -> application and size of its images; weights are never downloaded.
APPLICATIONS: Dict[str, Tuple[Application, int]] = {
    'VGG16': (tf.keras.applications.VGG16, 224),
    'ResNet50': (tf.keras.applications.ResNet50, 224),
    'ResNet50V2': (tf.keras.applications.ResNet50V2, 224),
    'InceptionV3': (tf.keras.applications.InceptionV3, 299),
    'InceptionResNetV2': (tf.keras.applications.InceptionResNetV2, 299),
    'Xception': (tf.keras.applications.Xception, 299),
    'MobileNet': (tf.keras.applications.MobileNet, 224),
    'MobileNetV2': (tf.keras.applications.MobileNetV2, 224),
    'DenseNet121': (tf.keras.applications.DenseNet121, 224),
    'NASNetMobile': (tf.keras.applications.NASNetMobile, 224),
}
TRAINED_APPLICATIONS = ('MobileNet', 'ResNet50')


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network to measure.

    Attributes:
      name: of the row in the table.
      outputs: names of the output nodes.
      meta_graph: builds the network and returns it; input `input`.
    """

    name: str
    outputs: Tuple[str, ...]
    meta_graph: Callable[[], tf.MetaGraphDef]


def all_subjects() -> Tuple[Subject, ...]:
    """Every network at full size."""
    zoo = [zoo_subject(network) for network in NETWORKS.values()]
    keras = [keras_subject(name, size) for name, (_, size) in APPLICATIONS.items()]
    trained = [
        keras_subject(name, APPLICATIONS[name][1], trained=True)
        for name in TRAINED_APPLICATIONS
    ]
    return tuple(zoo + keras + trained)


def zoo_subject(network: Network) -> Subject:
    """A network of the zoo at full size."""

    def build(images: tf.Tensor) -> None:
        network.build(images, network.config)

    return Subject(
        network.name, network.outputs, lambda: exported(build, network.image)
    )


def keras_subject(
    name: str, size: int, trained: bool = False, classes: int = 1000
) -> Subject:
    """A network of `tf.keras.applications`; its output are the logits.

    Args:
      name: a key of `APPLICATIONS`.
      size: of the images.
      trained: with the learning phase as a placeholder and with an optimizer, as a
        training leaves it; otherwise with learning phase 0.
      classes: number of logits.
    """

    def build(images: tf.Tensor) -> None:
        if not trained:
            tf.keras.backend.set_learning_phase(0)
        application, _ = APPLICATIONS[name]
        model = application(weights=None, input_tensor=images, classes=classes)
        logits = model.outputs[0].op.inputs[0]
        tf.identity(logits, name='output')
        if trained:
            _train(model, logits)

    label = f'{name}, trained' if trained else name
    return Subject(label, ('output',), lambda: exported(build, (size, size, 3)))


def _train(model: tf.keras.Model, logits: tf.Tensor) -> None:
    labels = tf.placeholder(tf.int32, [None], 'labels')
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    with tf.control_dependencies(model.updates):
        tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)


def exported(
    build: Callable[[tf.Tensor], Any], image: Tuple[int, int, int]
) -> tf.MetaGraphDef:
    """The meta graph of what `build` makes of a placeholder `input`."""
    with tf.Graph().as_default() as graph:
        build(tf.placeholder(tf.float32, [None, *image], 'input'))
        return tf.train.export_meta_graph(graph=graph)
