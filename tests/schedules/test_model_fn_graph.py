"""The graph that a model_fn builds."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.schedules import small
from tf1pruning.errors import DataError
from tf1pruning.schedules import model_fn_graph
from tf1pruning.scoring import loss_model


def build(model_fn, input_fn, folder, params=None):
    estimator = tf.estimator.Estimator(model_fn, str(folder), params=params)
    return model_fn_graph.build(estimator, input_fn)


def mean_model_fn(features, labels, mode, params):
    del labels
    x = tf.reshape(features['image'], [-1, 4])
    loss = params['factor'] * tf.reduce_mean(tf.layers.dense(x, 2))
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=tf.no_op())


def named_input_fn():
    data = {'unused': np.zeros([3, 1]), 'image': np.ones([3, 2, 2], np.float32)}
    return tf.data.Dataset.from_tensors(data)


def test_the_inputs_are_placeholders_for_batches_of_any_size(tmp_path):
    def input_fn():
        data = tf.data.Dataset.from_tensor_slices((small.IMAGES, small.LABELS))
        return data.batch(8, drop_remainder=True)

    found = build(small.model_fn, input_fn, tmp_path)

    nodes = {node.name: node for node in found.meta_graph.graph_def.node}
    ops = [nodes[name].op for name in found.inputs]
    sizes = [d.size for d in nodes[found.inputs[0]].attr['shape'].shape.dim]
    assert ops == ['Placeholder', 'Placeholder']
    assert sizes == [-1, 6, 6, 3]


def test_batches_are_for_what_the_loss_reads(tmp_path):
    found = build(mean_model_fn, named_input_fn, tmp_path, {'factor': 2.0})

    loss = loss_model.loss_model(found.meta_graph, found.loss)
    (batch,) = found.batches(named_input_fn, loss.model, 5).start()

    (array,) = batch.values()
    assert list(batch) == [found.inputs[0]]  # Sorted by key: 'image' comes first.
    assert array.shape == (3, 2, 2)


def losses(found):
    return list(found.meta_graph.collection_def['losses'].node_list.value)


def test_the_loss_is_among_the_losses_once(tmp_path):
    own = build(mean_model_fn, named_input_fn, tmp_path, {'factor': 2.0})
    of_tf_losses = build(small.model_fn, small.input_fn, tmp_path)

    assert losses(own) == [own.loss]
    assert losses(of_tf_losses) == [of_tf_losses.loss]


def test_tensors_do_as_well_as_a_dataset(tmp_path):
    def input_fn():
        return {'image': tf.ones([3, 2, 2])}, None

    with pytest.raises(DataError, match='gives tuple'):
        build(mean_model_fn, input_fn, tmp_path, {'factor': 1.0})

    found = build(
        mean_model_fn, lambda: input_fn()[0], tmp_path, params={'factor': 1.0}
    )
    assert len(found.inputs) == 1


def test_other_data_is_refused(tmp_path):
    def three_parts():
        return tf.data.Dataset.from_tensors((1.0, 2.0, 3.0))

    with pytest.raises(DataError, match='3 parts; expected features and labels'):
        build(small.model_fn, three_parts, tmp_path)
    with pytest.raises(DataError, match=r'gives ndarray; expected a tf.data.Dataset'):
        build(small.model_fn, lambda: np.zeros([2]), tmp_path)
