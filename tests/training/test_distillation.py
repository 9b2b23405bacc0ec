from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.recovery import teaching
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.graph.frozen import freeze
from tf1pruning.training import distillation_loss, teacher_answers


@pytest.fixture
def path(tmp_path):
    target = str(tmp_path / 'teacher.pb')
    freeze.write_frozen(target, teaching.graph_of(0))
    return target


def value(student, teacher, **options):
    with tf.Graph().as_default(), tf.Session() as session:
        own, wanted = (
            [tf.constant(a) for a in arrays] for arrays in (student, teacher)
        )
        return session.run(distillation_loss(own, wanted, **options))


def test_numbers_are_compared_over_the_variance_in_the_batch():
    teacher = [np.float32([[0, 1], [2, 5]])]  # Variances 1 and 4.
    student = [np.float32([[1, 1], [2, 5]])]

    assert value(student, teacher) == pytest.approx(0.25 / 2.5)
    assert value(teacher, teacher) == 0
    # A second output that is right halves the loss.
    assert value(student + teacher, teacher * 2) == pytest.approx(0.05)


def test_answers_that_do_not_vary_give_a_finite_loss():
    assert np.isfinite(value([np.float32([[1.0]])], [np.float32([[3.0]])]))


def test_logits_are_compared_by_their_divergence():
    teacher = [np.log(np.float32([[0.75, 0.25]])) * 2]
    student = [np.zeros([1, 2], np.float32)]

    expected = 4 * (0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5))
    assert value(student, teacher, temperature=2.0) == pytest.approx(expected)
    half = [array.astype(np.float16) for array in teacher]
    assert value(half, teacher, temperature=2.0) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ('count', 'temperature', 'message'),
    [
        (2, None, '2 outputs of the student and 1 of the teacher'),
        (0, None, '0 outputs of the student'),
        (1, 0.0, 'temperature is 0.0; expected more'),
        (1, float('nan'), 'temperature is nan'),
    ],
)
def test_what_cannot_be_compared_is_refused(count, temperature, message):
    one = np.ones([2, 2], np.float32)

    with pytest.raises(OptionError, match=message):
        value([one] * count, [one], temperature=temperature)


def test_a_network_learns_from_a_frozen_one(path):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        features = tf.constant(teaching.inputs(16))
        wanted = teacher_answers(path, features, ['output'])['output']
        found = tf.layers.dense(features, 2)
        loss = distillation_loss([found], [wanted])
        step = tf.train.AdamOptimizer(0.1).minimize(loss)
        session.run(tf.global_variables_initializer())
        first = session.run(loss)
        for _ in range(10):
            session.run(step)
        names = [variable.op.name for variable in tf.trainable_variables()]

        assert session.run(loss) < 0.5 * first
        assert names == ['dense/kernel', 'dense/bias']
        assert tf.gradients(wanted, features) == [None]


def test_two_teachers_have_scopes_of_their_own(path):
    with tf.Graph().as_default():
        features = {'input': tf.zeros([1, 3])}
        found = [teacher_answers(path, features, ['output']) for _ in range(2)]

    assert [each['output'].shape.as_list() for each in found] == [[1, 2]] * 2


@pytest.mark.parametrize(
    ('features', 'outputs', 'message'),
    [
        (lambda: {'x': tf.zeros([1, 3])}, ['output'], "reads 'input' and features"),
        (lambda: tf.zeros([1, 4]), ['output'], 'TensorFlow refuses the graph'),
        (lambda: tf.zeros([1, 3]), ['scores'], "'scores'"),
    ],
)
def test_what_does_not_fit_the_teacher_is_refused(path, features, outputs, message):
    with tf.Graph().as_default(), pytest.raises(GraphError, match=message):
        teacher_answers(path, features(), outputs)


def test_a_teacher_that_is_not_pure_is_not_built(tmp_path):
    path = str(tmp_path / 'teacher.pb')
    graph_def = teaching.graph_of(
        0, lambda x: tf.py_func(lambda y: y, [x], tf.float32, name='python')
    )
    freeze.write_frozen(path, graph_def)

    with tf.Graph().as_default() as graph:
        with pytest.raises(GraphError, match="'python'"):
            teacher_answers(path, tf.zeros([1, 3]), ['output'])
        assert len(graph.get_operations()) == 1
