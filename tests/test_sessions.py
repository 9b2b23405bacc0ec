from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning import sessions
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.sessions import RunLimits, Session


def endless(x):
    return tf.while_loop(lambda y: tf.reduce_sum(y) < 1e30, lambda y: y * 1.0, [x])


def graph_of(build):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2], name='x')
        tf.identity(build(x), name='output')
    return graph


def test_a_run_gives_what_a_session_gives():
    with Session(graph_of(lambda x: x * 2)) as session:
        found = session.run('output:0', {'x:0': np.float32([1, 2])})

    np.testing.assert_array_equal(found, [2, 4])


def test_a_run_that_fails_says_why():
    with Session(graph_of(tf.abs)) as session, pytest.raises(ValueError, match='shape'):
        session.run('output:0', {'x:0': np.ones(3, np.float32)})


def test_a_run_without_an_end_is_stopped():
    started = time.monotonic()
    with Session(graph_of(endless), RunLimits(seconds=0.2)) as session, pytest.raises(
        GraphError, match=r'more than 0\.2 seconds'
    ) as caught:
        session.run('output:0', {'x:0': np.ones(2, np.float32)})

    assert caught.value.options == ('verify_timeout',)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize('seconds', [0, -1.0, float('nan'), float('inf')])
def test_a_time_out_of_range_is_refused(seconds):
    with pytest.raises(OptionError, match=r'may take .* seconds; expected from 0\.001'):
        RunLimits(seconds=seconds)


def test_an_op_that_does_not_stop_is_left_behind(monkeypatch):
    monkeypatch.setattr(sessions, '_GRACE_SECONDS', 0.0)

    def waits(x):
        return tf.py_func(lambda array: time.sleep(0.5) or array, [x], tf.float32)

    with Session(graph_of(waits), RunLimits(seconds=0.1)) as session, pytest.raises(
        GraphError, match='may have no end'
    ):
        session.run('output:0', {'x:0': np.ones(2, np.float32)})


def test_a_run_that_needs_too_much_memory_is_one_line():
    def fill(x):
        return tf.fill(tf.cast(x, tf.int64), 1.0)

    sizes = np.full(2, 1 << 25, np.float32)
    with Session(graph_of(fill)) as session, pytest.raises(
        GraphError, match=r'more memory than there is.*shape\[33554432,33554432\]'
    ):
        session.run('output:0', {'x:0': sizes})


def test_all_unsafe_nodes_are_named_unless_they_are_allowed():
    graph_def = graph_of(lambda x: tf.py_func(abs, [x], tf.float32)).as_graph_def()

    with pytest.raises(GraphError, match=r"'PyFunc' \(PyFunc\)\. Nothing was run"):
        sessions.check(graph_def, ['output:0'])
    sessions.check(graph_def, ['x'])
    sessions.check(graph_def, ['output:0'], RunLimits(allow_unsafe=True))


def test_time_is_settled_before_a_graph_has_ops_of_ours():
    plain, loop = graph_of(lambda x: x * 2), graph_of(endless)
    pure = sessions.settled(plain, RunLimits(allow_unsafe=True))
    with plain.as_default():
        tf.py_func(abs, [tf.constant(1.0)], tf.float32)

    assert pure == RunLimits(True, sessions.DEFAULT_SECONDS)
    assert sessions.settled(plain, RunLimits()).seconds < pure.seconds
    assert sessions.settled(loop, RunLimits()).seconds == sessions.DEFAULT_LOOP_SECONDS
    assert sessions.settled(loop, RunLimits(seconds=3.0)).seconds == 3
