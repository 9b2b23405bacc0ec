from __future__ import annotations

import concurrent.futures
import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.training import hooked
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import OptionError, PlanError, WorkflowError
from tf1pruning.training import graph_variables
from tf1pruning.training.eraser import Eraser
from tf1pruning.training.pruning_hook import HOLD, OBSERVE, SOFT, PruningHook

KINDS = {
    'ref': {},
    'resource': {'resource': True},
    'parts': {'partitioner': tf.fixed_size_partitioner(2)},
    'resource parts': {'resource': True, 'partitioner': tf.fixed_size_partitioner(2)},
}
OPTIMIZERS = {
    'sgd': lambda: tf.train.GradientDescentOptimizer(0.1),
    'momentum': lambda: tf.train.MomentumOptimizer(0.1, 0.9),
    'adam': lambda: tf.train.AdamOptimizer(0.1),
    'adagrad': lambda: tf.train.AdagradOptimizer(0.1),
}


def raw(session):
    """The plain session: its calls go past the hooks."""
    return session.run_step_fn(lambda step_context: step_context.session)


def trained(steps, hooks=(), folder=None, **options):
    """Values of all variables after each step."""
    with tf.Graph().as_default():
        train, _ = hooked.build(**options)
        with tf.train.MonitoredTrainingSession(
            checkpoint_dir=folder,
            hooks=hooks,
            save_checkpoint_steps=1,
            save_summaries_steps=None,
            log_step_count_steps=None,
        ) as session:
            found = []
            for _ in range(steps):
                session.run(train)
                found.append(hooked.values(raw(session)))
    return found


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
@pytest.mark.parametrize('kind', KINDS)
def test_hold_keeps_the_cuts_zero_and_changes_nothing_else(kind, optimizer):
    make = OPTIMIZERS[optimizer]
    free = trained(3, optimizer=make(), **KINDS[kind])

    held = trained(
        3, [PruningHook(hooked.plan(), HOLD)], optimizer=make(), **KINDS[kind]
    )

    assert [hooked.is_zero(values) for values in held] == [True] * 3
    for name in hooked.AXES:
        for found, expected in zip(held, free):
            _, kept = hooked.cut_and_kept(name, found[name])
            np.testing.assert_array_equal(
                kept, hooked.cut_and_kept(name, expected[name])[1]
            )


def test_hold_zeroes_the_slots_of_the_cuts():
    (values,) = trained(1, [PruningHook(hooked.plan(), HOLD)])

    cut, kept = hooked.cut_and_kept('a/kernel', values['a/kernel/Momentum'])
    assert not cut.any()
    assert kept.all()


@pytest.mark.parametrize('kind', KINDS)
def test_every_checkpoint_of_a_held_training_has_zeros(tmp_path, kind):
    trained(3, [PruningHook(hooked.plan(), HOLD)], str(tmp_path), **KINDS[kind])

    for step in (1, 2, 3):
        assert hooked.is_zero(Checkpoint(str(tmp_path / f'model.ckpt-{step}')))


@pytest.mark.parametrize('mode', ['block', 'filter'])
def test_only_what_the_mode_zeroes_is_held(mode):
    (values,) = trained(1, [PruningHook(hooked.plan(mode=mode), HOLD)])

    zeros = [n for n in hooked.AXES if not hooked.cut_and_kept(n, values[n])[0].any()]
    assert zeros == (list(hooked.AXES) if mode == 'block' else ['a/kernel'])


def test_observe_changes_nothing():
    free = trained(2)
    watched = trained(2, [PruningHook(hooked.plan(), OBSERVE)])

    for found, expected in zip(watched, free):
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


def test_soft_zeroes_now_and_then_and_leaves_free_in_between():
    found = trained(6, [PruningHook(hooked.plan(), SOFT, zero_steps=2)])

    assert [hooked.is_zero(values) for values in found] == [False, True] * 3


def test_the_last_checkpoint_of_a_soft_training_is_zeroed(tmp_path):
    hook = PruningHook(hooked.plan(), SOFT, zero_steps=2)

    trained(4, [hook], str(tmp_path))

    saved = [Checkpoint(str(tmp_path / f'model.ckpt-{step}')) for step in (1, 2, 3, 4)]
    assert [hooked.is_zero(values) for values in saved] == [False, True, False, True]


def test_a_re_ranking_zeroes_the_filters_that_are_smallest_now():
    hook = PruningHook(hooked.plan(), SOFT, zero_steps=2, rerank=[hooked.group()])
    with tf.Graph().as_default():
        train, _ = hooked.build(tf.train.GradientDescentOptimizer(0.0))
        kernel = tf.global_variables('a/kernel')[0]
        with tf.train.MonitoredSession(hooks=[hook]) as session:
            kernel.load(np.array([[3, 1, 4, 0.1]] * 3), raw(session))
            session.run(train)
            assert hook.plan.groups[0].removed == (1, 2)
            session.run(train)
            found = raw(session).run(kernel)

    assert hook.plan.groups[0].removed == (1, 3)
    np.testing.assert_array_equal(found, [[3, 0, 4, 0]] * 3)


def test_a_call_that_does_not_train_does_not_start_a_step():
    with tf.Graph().as_default():
        train, loss = hooked.build()
        step = tf.train.get_global_step()
        hook = PruningHook(hooked.plan(), HOLD)
        with tf.train.MonitoredSession(hooks=[hook]) as session:
            session.run(train)
            before = hooked.values(raw(session))
            session.run(['global_step:0', {'loss': loss}])
            after = hooked.values(raw(session))
            assert raw(session).run(step) == 1

    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def accumulating():
    """Gradients of two calls are added up; the second call applies them."""
    step = tf.train.get_or_create_global_step()
    calls = tf.get_variable('calls', [], tf.int32, tf.initializers.zeros())
    kernel = tf.get_variable('a/kernel', [3, 4], initializer=tf.initializers.ones())
    total = tf.get_variable('total', [3, 4], initializer=tf.initializers.zeros())
    optimizer = tf.train.MomentumOptimizer(0.1, 0.9)

    def apply():
        done = optimizer.apply_gradients([(total.read_value(), kernel)], step)
        with tf.control_dependencies([done]):
            return tf.group(tf.assign(total, tf.zeros_like(total)))

    with tf.control_dependencies([tf.assign_add(total, tf.ones([3, 4]))]):
        number = tf.assign_add(calls, 1)
    return tf.cond(tf.equal(number % 2, 0), apply, tf.no_op)


@pytest.mark.parametrize('resource', [False, True])
def test_gradients_that_accumulate_are_applied_when_the_user_says(tmp_path, resource):
    hook = PruningHook(hooked.plan(mode='filter'), HOLD)
    with tf.Graph().as_default(), tf.variable_scope('', use_resource=resource):
        train = accumulating()
        kernel = tf.global_variables('a/kernel')[0]
        step = tf.train.get_global_step()
        with tf.train.MonitoredTrainingSession(
            checkpoint_dir=str(tmp_path), hooks=[hook], save_checkpoint_steps=1
        ) as session:
            found = []
            for _ in range(4):
                session.run(train)
                found.append(raw(session).run([step, kernel]))

    rows = [kernel[0].tolist() for _, kernel in found]
    assert [number for number, _ in found] == [0, 1, 1, 2]
    np.testing.assert_allclose(rows[0], [1, 0, 0, 1])
    np.testing.assert_allclose(rows[1], [0.8, 0, 0, 0.8])
    np.testing.assert_allclose(rows[3], [0.42, 0, 0, 0.42], rtol=1e-6)
    saved = Checkpoint(str(tmp_path / 'model.ckpt-2'))['a/kernel']
    np.testing.assert_allclose(saved[0], [0.42, 0, 0, 0.42], rtol=1e-6)


@pytest.mark.parametrize('resource', [False, True])
def test_a_training_loop_inside_the_graph_is_held_after_it(resource):
    hook = PruningHook(hooked.plan(mode='filter'), HOLD)
    with tf.Graph().as_default(), tf.variable_scope('', use_resource=resource):
        step = tf.train.get_or_create_global_step()
        start = tf.initializers.ones()
        kernel = tf.get_variable('a/kernel', [3, 4], initializer=start)

        def body(turn):
            with tf.control_dependencies([tf.assign_add(kernel, tf.ones([3, 4]))]):
                return turn + 1

        turns = tf.while_loop(lambda turn: turn < 3, body, [0], parallel_iterations=1)
        with tf.control_dependencies([turns]):
            train = tf.assign_add(step, 3)
        with tf.train.MonitoredSession(hooks=[hook]) as session:
            session.run(train)
            found = raw(session).run(kernel)

    np.testing.assert_array_equal(found, [[4, 0, 0, 4]] * 3)


def test_what_another_process_applies_is_zeroed_when_the_step_moves():
    hook = PruningHook(hooked.plan(), HOLD)
    with tf.Graph().as_default():
        train, loss = hooked.build()
        with tf.train.MonitoredSession(hooks=[hook]) as session:
            raw(session).run(train)
            session.run(loss)
            assert hooked.is_zero(hooked.values(raw(session)))


def test_every_checkpoint_of_a_sync_replicas_optimizer_is_held_by_the_listener(
    tmp_path,
):
    hook = PruningHook(hooked.plan(), HOLD)
    saver = tf.train.CheckpointSaverHook(
        str(tmp_path), save_steps=1, listeners=[hook.listener]
    )
    with tf.Graph().as_default():
        momentum = tf.train.MomentumOptimizer(0.1, 0.9)
        optimizer = tf.train.SyncReplicasOptimizer(momentum, 1)
        train, _ = hooked.build(optimizer)
        replicas = optimizer.make_session_run_hook(is_chief=True, num_tokens=0)
        with tf.train.MonitoredTrainingSession(
            chief_only_hooks=[saver],
            hooks=[replicas, hook],
            # The thread of the optimizer waits for a gradient that never comes.
            stop_grace_period_secs=1,
        ) as session:
            for _ in range(3):
                session.run(train)

    for step in range(4):
        checkpoint = Checkpoint(str(tmp_path / f'model.ckpt-{step}'))
        assert hooked.is_zero(checkpoint)
        assert hooked.cut_and_kept('a/kernel', checkpoint['a/kernel'])[1].all()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'policy': 'hlod'}, "Policy is 'hlod'"),
        ({'every_steps': 0}, 'every_steps is 0'),
        ({'policy': SOFT}, 'zero_steps steps; expected at least 1, found None'),
        ({'policy': HOLD, 'zero_steps': 5}, "belong to policy 'soft'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        PruningHook(hooked.plan(), **options)


def test_groups_of_another_model_cannot_be_ranked():
    other = hooked.group()
    other = dataclasses.replace(other, name='b')

    with pytest.raises(PlanError, match="`rerank` lacks: 'a'"):
        PruningHook(hooked.plan(), SOFT, zero_steps=1, rerank=[other])


def test_missing_variables_are_named_at_once():
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        tf.get_variable('a/kernel', [3, 4])
        with pytest.raises(PlanError, match="lacks the variables 'a/bias', 'b/kernel'"):
            PruningHook(hooked.plan()).begin()


@pytest.mark.parametrize('width', [2, 5, 64])
def test_a_network_of_other_widths_is_refused(width):
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        for name, shape in hooked.SHAPES.items():
            tf.get_variable(name, [width if s == hooked.WIDTH else s for s in shape])
        with pytest.raises(PlanError) as error:
            PruningHook(hooked.plan()).begin()

    message = str(error.value)
    assert f"axis 1 of 'a/kernel' with shape (3, {width})" in message
    assert (
        f"axis 0 of 'b/kernel' with shape ({width}, 2), where the plan exp" in message
    )
    assert 'Is this network stripped' in message


def test_a_graph_without_a_global_step_is_refused():
    with tf.Graph().as_default(), pytest.raises(WorkflowError, match='global step'):
        PruningHook(hooked.plan()).begin()


def test_norms_and_the_failure_rate_are_logged_every_few_steps_and_at_the_end(tmp_path):
    hook = PruningHook(hooked.plan(), every_steps=2, summary_dir=str(tmp_path))

    values = trained(3, [hook])

    found = hooked.events(tmp_path)
    rates = [(e.step, e.value) for e in found.Scalars('pruning/failure_rate')]
    assert rates == [(2, 1.0), (3, 1.0)]
    for what, which in (('planned', 0), ('kept', 1)):
        (_, last) = found.Scalars(f'pruning/norm_{what}/a')
        part = hooked.cut_and_kept('a/kernel', values[2]['a/kernel'])[which]
        assert last.value == pytest.approx(np.linalg.norm(part))
    (_, last) = found.Histograms('pruning/filter_norm/a')
    assert last.histogram_value.num == 4
    assert len(found.Tensors('custom_scalars__config__')) == 1
    last = found.Images('pruning/filters/a')[-1]
    assert (last.step, last.height, last.width) == (3, 256, 256)


def test_a_held_plan_has_failure_rate_zero(tmp_path):
    hook = PruningHook(hooked.plan(), HOLD, every_steps=1, summary_dir=str(tmp_path))

    trained(2, [hook], **KINDS['parts'])

    found = hooked.events(tmp_path).Scalars('pruning/failure_rate')
    assert {e.value for e in found} == {0.0}


@pytest.mark.parametrize('resource', [False, True])
def test_what_other_workers_write_at_the_same_time_is_not_lost(resource):
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.variable_scope('', use_resource=resource):
            kernel = tf.get_variable(
                'a/kernel', [3, 4], initializer=tf.initializers.zeros()
            )
        add = tf.assign_add(kernel, tf.ones([3, 4]), use_locking=True).op
        parts = graph_variables.by_key(tf.global_variables())
        erase = Eraser(hooked.plan(mode='filter'), parts, replaceable=False).all
        session.run(kernel.initializer)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(session.run, op) for op in [add, erase] * 200]
        for future in waiting:
            future.result()
        session.run(erase)
        found = session.run(kernel)

    np.testing.assert_array_equal(found, [[200, 0, 0, 200]] * 3)
