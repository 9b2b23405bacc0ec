"""A tiny network of two layers whose training is easy to follow, and its plan."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing import event_accumulator

from tf1pruning.channels.groups import Group, Place
from tf1pruning.channels.trace_result import BIAS, CONSUMER, PRODUCER
from tf1pruning.plan import Plan, plan_group

WIDTH = 4
REMOVED = (1, 2)
SHAPES = {'a/kernel': (3, WIDTH), 'a/bias': (WIDTH,), 'b/kernel': (WIDTH, 2)}
# Which axis of a variable holds the channels of `a`.
AXES = {'a/kernel': 1, 'a/bias': 0, 'b/kernel': 0}


def group():
    """The channels between layers `a` and `b`."""
    each = np.arange(WIDTH)[:, None]
    places = (
        Place('a/kernel', 1, WIDTH, PRODUCER, each),
        Place('a/bias', 0, WIDTH, BIAS, each),
        Place('b/kernel', 0, WIDTH, CONSUMER, each),
    )
    return Group('a', 'plain', np.arange(WIDTH), places, ())


def plan(removed=REMOVED, mode='block'):
    """A plan to remove channels of `a`."""
    return Plan('made up', mode, 1, None, (plan_group(group(), removed, len(removed)),))


def build(optimizer=None, resource=False, partitioner=None):
    """Variables that start at 0.5, 0.25 ...; each step pulls all of them towards 1.

    Returns:
      (train op, loss)
    """
    step = tf.train.get_or_create_global_step()
    losses = []
    with tf.variable_scope('', use_resource=resource, partitioner=partitioner):
        for number, (name, shape) in enumerate(SHAPES.items()):
            start = tf.initializers.constant(0.5 / (number + 1))
            variable = tf.get_variable(name, shape, initializer=start)
            losses.append(tf.reduce_sum(tf.square(tf.identity(variable) - 1.0)))
    loss = tf.add_n(losses)
    optimizer = optimizer or tf.train.MomentumOptimizer(0.1, 0.9)
    return optimizer.minimize(loss, global_step=step), loss


def values(session):
    """Checkpoint key -> array, of all variables, parts put together."""
    found = {}
    for variable in tf.global_variables():
        name = variable.op.name.replace('/part_0', '').replace('/part_1', '')
        found.setdefault(name, []).append(session.run(variable))
    return {
        name: parts[0] if len(parts) == 1 else np.concatenate(parts)
        for name, parts in found.items()
    }


def cut_and_kept(name, array, removed=REMOVED):
    """The entries that belong to removed channels, and the others."""
    axis = AXES[name]
    rest = [i for i in range(WIDTH) if i not in removed]
    return array.take(list(removed), axis), array.take(rest, axis)


def is_zero(values, removed=REMOVED):
    """Whether all cuts are zero; False if none is. Raises if some are."""
    cuts = [cut_and_kept(n, values[n], removed)[0] for n in AXES]
    zeros = {bool((cut == 0).all()) for cut in cuts}
    (found,) = zeros
    return found


def events(folder):
    """What TensorBoard reads of a folder."""
    everything = {event_accumulator.HISTOGRAMS: 0}
    return event_accumulator.EventAccumulator(str(folder), everything).Reload()
