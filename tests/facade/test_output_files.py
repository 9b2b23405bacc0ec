from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.facade import output_files
from tf1pruning.models import reading


@pytest.mark.parametrize('name', ['Adagrad', 'Mine'])
def test_a_soft_pruned_network_trains_on_with_adagrad_of_any_name(tmp_path, name):
    graph = networks.inverted_residual_net(is_training=True)
    with graph.as_default():
        loss = tf.reduce_sum(tf.square(graph.get_tensor_by_name('output:0')))
        train = tf.train.AdagradOptimizer(0.1, name=name).minimize(loss)
        saver = tf.train.Saver()
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            source = saver.save(session, str(tmp_path / 'model.ckpt'))
    plan = nets.net_of(networks.inverted_residual_net()).plan({networks.BLOCK: [1, 2]})
    found = reading.load(source, ('output',))

    prefix = output_files.write_soft_pruned(str(tmp_path / 'pruned'), found, plan)

    kernel = f'{networks.BLOCK}/expand/conv/kernel'
    assert Checkpoint(prefix)[f'{kernel}/{name}'].all()
    with tf.Session(graph=graph) as session:
        saver.restore(session, prefix)
        session.run(train, {'input:0': np.ones([2, 8, 8, 3])})
        after = session.run(f'{kernel}:0')
    assert np.isfinite(after).all()
    assert not after[..., 1:3].any()
