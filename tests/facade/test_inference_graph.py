"""Where the inference graph comes from."""

from __future__ import annotations

import os

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tests.facade.steps import (
    EXPAND,
    assert_close,
    retrained,
    soft_pruned,
    soft_pruned_output,
    stripped,
)
from tests.studies import trained
from tests.studies.trained import BLOCK
from tf1pruning import Pruning
from tf1pruning.ckpt.checkpoint import Checkpoint


def inference_meta(folder, **options):
    path = str(folder / 'inference.meta')
    graph = networks.inverted_residual_net(**options)
    tf.train.export_meta_graph(path, graph=graph)
    return path


def test_a_given_inference_graph_is_stripped(new, tmp_path):
    pruning = new(rebuild_meta_graph=inference_meta(tmp_path))

    stripped(retrained(soft_pruned(pruning), tmp_path / 'retrained'))

    found = Checkpoint(pruning.export_ckpt_path).shapes
    assert found[EXPAND] == (1, 1, 8, pruning.plan.widths()[BLOCK])
    # The slots and the step of the training are not in it.
    assert 'global_step' not in found


def test_a_map_of_inputs_replaces_tensors_by_placeholders(new, tmp_path):
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], name='images')
    pruning = new(
        rebuild_meta_graph=inference_meta(tmp_path, pipeline=True),
        input_tensors_map={'IteratorGetNext:0': images},
    )
    assert pruning.input_tensors_map == {'IteratorGetNext:0': images}

    stripped(retrained(soft_pruned(pruning), tmp_path / 'retrained'))

    image = np.random.RandomState(2).rand(2, 8, 8, 3)
    found = trained.run(pruning.export_pb_path, {'images:0': image})
    assert_close(found, soft_pruned_output(pruning.retrained_ckpt_path, image))


def test_a_map_of_inputs_works_on_the_training_graph_too(new, tmp_path):
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [1, 8, 8, 3], name='images')
    pruning = new(input_tensors_map={'IteratorGetNext:0': images})

    stripped(retrained(soft_pruned(pruning), tmp_path / 'retrained'))

    assert trained.run(
        pruning.export_pb_path, {'images:0': np.zeros([1, 8, 8, 3])}
    ).shape == (1, 5)


def test_another_name_for_the_output(tmp_path):
    graph = trained.gates('SE1')
    with graph.as_default():
        scores = tf.nn.relu(graph.get_tensor_by_name('output:0'), name='net/scores')
        tf.square(scores, name='squares')
    prefix = networks.save(graph, str(tmp_path / 'source' / 'model.ckpt-1'))
    pruning = Pruning(
        prefix,
        output_dir=str(tmp_path / 'out'),
        output_nodes='net/scores,squares',
        pruning_filters_dict={'SE1': [1]},
        channel_multiple=1,
    )
    pruning.pruning_process()
    pruning.get_retrained_ckpt(os.path.dirname(pruning.pruned_ckpt_path))

    stripped(pruning)

    image = {'input:0': np.ones([1, 6, 6, 3])}
    scores = trained.run(pruning.export_pb_path, image, 'net/scores')
    squares = trained.run(pruning.export_pb_path, image, 'squares')
    np.testing.assert_array_equal(squares, scores**2)
    assert Checkpoint(pruning.export_ckpt_path).shapes['SE1/reduce/bias'] == (3,)
