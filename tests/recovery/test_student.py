from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.recovery import teaching
from tf1pruning.errors import GraphError
from tf1pruning.recovery import lessons
from tf1pruning.recovery.store import Disk
from tf1pruning.recovery.student import AnswerLoss, Student

LOSS = AnswerLoss({'output': 2.0})
WEIGHTS = ['a', 'bias', 'b']


@pytest.fixture(scope='module')
def seen():
    with teaching.teacher() as teacher:
        yield lessons.gather(teaching.batches(), teacher, Disk(1 << 20))


def test_the_teacher_itself_has_no_loss(seen):
    with Student(teaching.graph_of(0), WEIGHTS, teaching.OUTPUTS, LOSS) as student:
        found = student.measure(seen.in_order())

    assert (found.loss, found.change.worst) == (0, 0)


@pytest.mark.parametrize('kind', ['numbers', 'logits', 'probabilities'])
def test_steps_make_the_loss_fall_and_reset_takes_them_back(seen, kind):
    loss = LOSS._replace(kind=kind, temperature=2.0)
    graph_def = teaching.graph_of(1, activation=tf.sigmoid)
    with Student(graph_def, WEIGHTS, teaching.OUTPUTS, loss) as student:
        start = student.measure(seen.in_order())
        for _, answered in zip(range(12), seen.drawn(0, 0)):
            student.step(answered, 0.02)
        later = student.measure(seen.in_order())
        state, weights = student.state(), student.weights()
        student.reset()
        again = student.measure(seen.in_order())
        student.restore(state)
        restored = student.weights()

    assert 0 < later.loss < start.loss == again.loss
    assert set(weights) == set(restored) == set(WEIGHTS)
    for name, array in weights.items():
        np.testing.assert_array_equal(restored[name], array)


def test_the_loss_of_numbers_is_the_square_of_the_change(seen):
    loss = AnswerLoss(seen.variances)
    with Student(teaching.graph_of(1), WEIGHTS, teaching.OUTPUTS, loss) as student:
        found = student.measure(seen.in_order())

    assert found.loss == pytest.approx(found.change.worst**2, rel=1e-4)


def test_the_loss_of_logits_is_their_divergence(seen):
    loss = LOSS._replace(kind='logits', temperature=3.0)
    with Student(teaching.graph_of(1), WEIGHTS, teaching.OUTPUTS, loss) as student:
        found = student.measure(seen.in_order())
    student_def = teaching.teacher(teaching.graph_of(1))
    with student_def as other:
        own = next(other.answered(teaching.batches(24, 24))).answers[0] / 3
    wanted = np.concatenate([each.answers[0] for each in seen.in_order()]) / 3

    def shares(logits):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    p, q = shares(wanted), shares(own)
    expected = 9 * (p * np.log(p / q)).sum(axis=1).mean()
    assert found.loss == pytest.approx(expected, rel=1e-4)


def test_weights_behind_what_has_no_derivative_are_not_trained():
    graph_def = teaching.graph_of(1, activation=tf.round)
    with Student(graph_def, WEIGHTS, teaching.OUTPUTS, LOSS) as student:
        assert student.trained == ('b',)


def test_a_network_that_only_rounds_is_refused():
    with pytest.raises(GraphError, match='no derivative by any weight'):
        Student(teaching.graph_of(1, tf.round), ['a'], teaching.OUTPUTS, LOSS)


def looped(x):
    return tf.while_loop(lambda y: tf.reduce_sum(y) < 9, lambda y: y + 1, [x])


@pytest.mark.parametrize(
    ('activation', 'message'),
    [
        (looped, r"through the loop at 'while/Exit' \(Exit\)"),
        (
            lambda x: tf.fake_quant_with_min_max_args_gradient(x, x),
            "'FakeQuantWithMinMaxArgsGradient'.* Name outputs before",
        ),
    ],
)
def test_what_cannot_be_derived_is_named(activation, message):
    graph_def = teaching.graph_of(1, activation)

    with pytest.raises(GraphError, match=message):
        Student(graph_def, WEIGHTS, teaching.OUTPUTS, LOSS)


def test_what_is_not_safe_to_run_is_refused():
    graph_def = teaching.graph_of(
        1, lambda x: tf.py_func(lambda y: y, [x], tf.float32, name='python')
    )

    with pytest.raises(GraphError, match="'python'"):
        Student(graph_def, WEIGHTS, teaching.OUTPUTS, LOSS)


def test_each_sample_counts_the_same_in_batches_of_any_size():
    with teaching.teacher() as teacher:
        together = list(teacher.answered(teaching.batches(7, 7)))
        apart = list(teacher.answered(teaching.batches(7, 4)))

    with Student(teaching.graph_of(1), WEIGHTS, teaching.OUTPUTS, LOSS) as student:
        found = student.measure(apart)
        wanted = student.measure(together)

    assert [len(each.answers[0]) for each in apart] == [4, 3]
    assert found.loss == pytest.approx(wanted.loss, rel=1e-5)
