"""One small network in every form that the tools read, and how to run them."""

from __future__ import annotations

import os

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks, programs
from tf1pruning.graph.frozen import freeze
from tf1pruning.models import reading

IMAGE = np.random.RandomState(5).standard_normal([2, 8, 8, 3]).astype(np.float32)


def run_tool(name, *arguments):
    return programs.run(os.path.join('tools', name), *arguments)


def checkpoint(folder, **options):
    graph = networks.inverted_residual_net(is_training=True, pipeline=True, **options)
    return networks.save(graph, os.path.join(folder, 'model.ckpt'))


def saved_model(folder, prefix):
    """A SavedModel with the weights of a checkpoint."""
    target = os.path.join(folder, 'exported')
    graph = networks.inverted_residual_net()
    with graph.as_default(), tf.Session(graph=graph) as session:
        tf.train.Saver().restore(session, prefix)
        tf.saved_model.simple_save(
            session,
            target,
            inputs={'image': graph.get_tensor_by_name('input:0')},
            outputs={'logits': graph.get_tensor_by_name('output:0')},
        )
    return target


def signed_saved_model(folder, prefix):
    """A SavedModel with two signatures, each with an output of its own."""
    target = os.path.join(folder, 'signed')
    graph = networks.inverted_residual_net()
    with graph.as_default(), tf.Session(graph=graph) as session:
        tf.train.Saver().restore(session, prefix)
        image, logits = (
            graph.get_tensor_by_name(f'{name}:0') for name in ('input', 'output')
        )
        build = tf.saved_model.predict_signature_def
        signatures = {
            'serving_default': build(
                {'image': image}, {'probs': tf.nn.softmax(logits, name='probs')}
            ),
            'features': build({'x': image}, {'logits': logits}),
        }
        builder = tf.saved_model.builder.SavedModelBuilder(target)
        builder.add_meta_graph_and_variables(session, ['serve'], signatures)
        builder.save()
    return target


def frozen(folder, prefix):
    """A frozen graph with the weights of a checkpoint."""
    source = reading.load(prefix, ('output',))
    path = os.path.join(folder, 'frozen.pb')
    freeze.write_frozen(path, freeze.freeze(source.graph, source.arrays()))
    return path


def answers(path, image=IMAGE):
    """Outputs of a frozen graph."""
    graph_def = tf.GraphDef()
    with open(path, 'rb') as file:
        graph_def.ParseFromString(file.read())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name='')
        return session.run('output:0', {'input:0': image})
