"""What does not fit is named when a training begins; the last checkpoint stays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.training import hooked
from tf1pruning.errors import CheckpointError, PlanError
from tf1pruning.plan import plan_group
from tf1pruning.training import regularizers, warm_start
from tf1pruning.training.pruning_hook import HOLD, OBSERVE, PruningHook


def model_fn(features, labels, mode, params):
    """`hooked`, and what `params` add: a penalty, a warm start, fewer variables."""
    del features, labels
    without = params.get('without', ())
    shapes = {
        name: hooked.SHAPES[name] for name in hooked.SHAPES if name not in without
    }
    for name, shape in shapes.items():
        tf.get_variable(name, shape, initializer=tf.initializers.ones())
    loss = tf.add_n([tf.reduce_sum(tf.square(v)) for v in tf.trainable_variables()])
    step = tf.train.get_or_create_global_step()
    if 'penalty' in params:
        loss += regularizers.growing_penalty(params['penalty'], 0.1, 1, 0.1)
    train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, step)
    scaffold = None
    if 'start' in params:
        restore = warm_start.init_fn(params['start'])
        scaffold = tf.train.Scaffold(init_fn=restore)
    return tf.estimator.EstimatorSpec(
        mode, loss=loss, train_op=train, scaffold=scaffold
    )


def input_fn():
    return tf.data.Dataset.from_tensors(([0.0], [0.0])).repeat()


def contents(folder):
    """The checkpoints of a folder."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name.startswith(('model.ckpt', 'checkpoint'))
    }


@pytest.fixture
def refused(tmp_path):
    """Trains on, which must fail, and leave the checkpoint of before in its place."""
    folder = tmp_path / 'model'
    tf.estimator.Estimator(model_fn, str(folder), params={}).train(input_fn, steps=1)

    def check(error, message, hooks=(), **params):
        before = contents(folder)
        assert 'model.ckpt-1.index' in before
        estimator = tf.estimator.Estimator(model_fn, str(folder), params=params)
        with pytest.raises(error, match=message):
            estimator.train(input_fn, list(hooks), steps=1)
        assert contents(folder) == before

    return check


def other_plan():
    """The plan of a network whose layer is called `c`."""
    group = hooked.group()
    places = [dataclasses.replace(place, variable='c/kernel') for place in group.places]
    renamed = dataclasses.replace(group, name='c', places=tuple(places[:1]))
    return dataclasses.replace(hooked.plan(), groups=(plan_group(renamed, [1], 1),))


@pytest.mark.parametrize('policy', [OBSERVE, HOLD])
def test_a_plan_for_another_graph(refused, policy):
    refused(
        PlanError,
        "plan is for another graph: this one lacks the variables 'c/kernel'",
        [PruningHook(other_plan(), policy)],
    )


def test_a_penalty_by_a_plan_for_another_graph(refused):
    refused(PlanError, "lacks the variables 'c/kernel'", penalty=other_plan())


def test_a_variable_that_is_missing_in_the_graph(refused):
    refused(
        PlanError,
        "lacks the variables 'a/bias', 'b/kernel'",
        [PruningHook(hooked.plan(), HOLD)],
        without=('a/bias', 'b/kernel'),
    )


def test_a_half_stripped_checkpoint(refused, tmp_path):
    shapes = {**hooked.SHAPES, 'a/kernel': (3, 2)}
    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape in shapes.items():
            tf.get_variable(name, initializer=np.ones(shape, np.float32))
        session.run(tf.global_variables_initializer())
        half = tf.train.Saver().save(session, str(tmp_path / 'half.ckpt'))

    refused(
        CheckpointError,
        r"half.ckpt' does not fit .* 'a/kernel': expected \(3, 4\), found \(3, 2\)\. "
        'The checkpoint was stripped',
        start=half,
    )
