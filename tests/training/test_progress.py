from __future__ import annotations

import tensorflow.compat.v1 as tf

from tf1pruning.training.progress import ProgressHook


def run(total_steps, seconds_a_step, every_seconds, start=0):
    """Lines of a training from step `start`, with a clock that moves at each look."""
    lines = []
    now = [100.0 - seconds_a_step]

    def clock():
        now[0] += seconds_a_step
        return now[0]

    hook = ProgressHook(
        total_steps,
        label='demo',
        every_seconds=every_seconds,
        write=lines.append,
        clock=clock,
    )
    with tf.Graph().as_default():
        step = tf.train.create_global_step()
        tf.identity(0.5, name='loss')
        train = tf.assign_add(step, 1)
        init = tf.train.Scaffold(init_op=tf.assign(step, start))
        with tf.train.SingularMonitoredSession([hook], init) as session:
            for _ in range(total_steps - start):
                session.run(train)
    return lines


def test_a_line_when_time_is_up_and_one_at_the_end():
    assert run(total_steps=5, seconds_a_step=2.0, every_seconds=4.0) == [
        'demo: step 2/5, loss 0.5000, 6 s left',
        'demo: step 4/5, loss 0.5000, 2 s left',
        'demo: step 5/5, loss 0.5000, took 10 s',
    ]


def test_a_resumed_training_estimates_from_its_own_steps_after_the_first():
    lines = run(total_steps=10, seconds_a_step=3.0, every_seconds=3.0, start=7)

    assert lines == [
        'demo: step 8/10, loss 0.5000',
        'demo: step 9/10, loss 0.5000, 3 s left',
        'demo: step 10/10, loss 0.5000, took 9 s',
    ]


def test_fast_training_says_only_that_it_is_done():
    lines = run(total_steps=100, seconds_a_step=0.001, every_seconds=5.0)

    assert lines == ['demo: step 100/100, loss 0.5000, took 0 s']
