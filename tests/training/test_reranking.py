"""Re-ranking with the groups of a real network: gates, depthwise layers, a shortcut."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tests.training.test_fine_tune import IMAGES, INNER
from tf1pruning.channels.groups import Group, Place
from tf1pruning.plan import Plan, plan_group
from tf1pruning.training.pruning_hook import SOFT, PruningHook


def test_each_group_loses_the_filters_that_are_smallest_now():
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    net = nets.net_of(networks.inverted_residual_net())
    plan = net.plan(INNER)
    capped = tuple(
        dataclasses.replace(group, wanted=20, capped=True) for group in plan.groups
    )
    plan = dataclasses.replace(plan, groups=capped)
    hook = PruningHook(plan, SOFT, zero_steps=1, rerank=net.groups)
    arrays = networks.random_arrays(graph)
    with graph.as_default():
        variables = {v.op.name: v for v in tf.global_variables()}
        train = tf.get_collection('train_op')[-1]
        with tf.train.MonitoredSession(hooks=[hook]) as session:

            def start(step_context):
                for name, variable in variables.items():
                    variable.load(arrays[name], step_context.session)

            session.run_step_fn(start)
            session.run(train, {'input:0': IMAGES})
            found = session.run_step_fn(
                lambda step_context: step_context.session.run(variables)
            )

    assert {g.name: len(g.removed) for g in hook.plan.groups if g.removed} == {
        name: len(removed) for name, removed in INNER.items()
    }
    assert {(g.wanted, g.capped) for g in hook.plan.groups} == {(20, True)}
    for name, kernel in (
        (networks.BLOCK, f'{networks.BLOCK}/expand/conv/kernel'),
        ('SE1', 'SE1/reduce/kernel'),
    ):
        norms = np.linalg.norm(
            arrays[kernel].reshape(-1, arrays[kernel].shape[-1]), axis=0
        )
        (group,) = (g for g in hook.plan.groups if g.name == name)
        smallest = np.argsort(norms)[: len(group.removed)]
        assert sorted(group.removed) == sorted(smallest)
        assert set(group.removed) != set(INNER[name])
    for cut in hook.plan.zeroed_cuts:
        assert not found[cut.variable].take(cut.indices, cut.axis).any()
        assert found[cut.variable].any()


def test_a_channel_of_several_filters_is_as_large_as_all_of_them():
    place = Place('a/kernel', 1, 4, 'producer', np.array([[0, 1], [2, 3]]))
    group = Group('a', 'plain', np.arange(2), (place,), ())
    plan = Plan('made up', 'block', 1, None, (plan_group(group, [1], 1),))
    hook = PruningHook(plan, SOFT, zero_steps=1, rerank=[group])
    with tf.Graph().as_default():
        kernel = tf.get_variable('a/kernel', [1, 4])
        count = tf.assign_add(tf.train.get_or_create_global_step(), 1)
        with tf.train.MonitoredSession(hooks=[hook]) as session:
            # The largest filter is in channel 0, whose square sum 5 is below 3 + 3.
            values = np.sqrt([[5.0, 0.0, 3.0, 3.0]])
            session.run_step_fn(
                lambda step_context: kernel.load(values, step_context.session)
            )
            session.run(count)

    assert hook.plan.groups[0].removed == (0,)
