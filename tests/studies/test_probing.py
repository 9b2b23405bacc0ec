"""Points of curves are what the pruned checkpoint itself gives."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.steps.test_data_scores import model
from tests.studies import trained
from tf1pruning.errors import OptionError
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import data_scores
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.studies import sweeping
from tf1pruning.studies.clone import Steps
from tf1pruning.studies.evaluation import Outcome
from tf1pruning.studies.probing import Probe

GENERATOR = np.random.RandomState(0)
DATA = Batches.of_arrays(
    {
        'input': GENERATOR.rand(20, 8, 8, 3).astype(np.float32),
        'input_1': np.arange(20, dtype=np.int32) % 5,
    },
    8,
)


@pytest.fixture(scope='module')
def subject(tmp_path_factory):
    return model(trained.train(str(tmp_path_factory.mktemp('run') / 'a')))


@pytest.fixture(scope='module')
def probe(subject):
    return Probe(subject, DATA)


@pytest.fixture(scope='module')
def groups(subject):
    return [g for g in subject.model.groups if g.name in (trained.BLOCK, trained.GATE)]


def measured_anew(subject, source):
    """The outcome of weights that are loaded from the start."""
    return Probe(dataclasses.replace(subject, model=source), DATA).unpruned()


def test_a_point_is_that_of_the_soft_pruned_model(subject, probe, groups):
    scorer = ranking_by('l1').scorer(subject.model)
    means = data_scores.score_groups(subject, groups, DATA, ['apoz']).means
    plan = probe.plan(groups, 0.5, scorer)

    found = [probe.pruned(plan), probe.pruned(plan, means), probe.unpruned()]

    expected = [
        measured_anew(subject, probe.pruned_model(plan)),
        measured_anew(subject, probe.pruned_model(plan, means)),
        measured_anew(subject, subject.model),
    ]
    for one, other in zip(found, expected):
        assert one.loss == pytest.approx(other.loss, rel=1e-6)
        assert one.accuracy == other.accuracy
    assert len({outcome.loss for outcome in found}) == 3


def test_a_sweep_begins_with_the_whole_model(subject, probe, groups):
    scorer = ranking_by('l2').scorer(subject.model)
    seen = []

    points = sweeping.sweep(probe, groups, [0, 0.5, 0.9], scorer, progress=seen.append)

    assert points == seen
    assert points[0].weight == points[0].unit == probe.unpruned()
    assert points[1].weight.loss != points[1].unit.loss
    kernels = probe.kernels(groups)
    assert kernels == [f'{trained.BLOCK}/expand/conv/kernel', 'SE1/reduce/kernel']
    thin = probe.thin(kernels, 0.9)[kernels[0]]
    assert (np.count_nonzero(thin), thin.size) == (20, 192)


def test_histograms_show_what_is_left(subject, probe, groups):
    scorer = ranking_by('l2').scorer(subject.model)

    weights = sweeping.weight_frames(probe, groups, [0, 0.5])
    units = sweeping.unit_frames(probe, groups, [0, 0.5], scorer)

    assert [title for title, _ in weights] == [
        'Weights, 0.0% pruned',
        'Weights, 50.0% pruned',
    ]
    assert [np.count_nonzero(f['SE1/reduce/kernel']) for _, f in weights] == [32, 16]
    assert [np.count_nonzero(f[trained.BLOCK]) for _, f in units] == [24, 12]
    whole, left = (f[trained.BLOCK] for _, f in units)
    assert left[left > 0].min() >= np.sort(whole)[12]


@pytest.mark.parametrize(
    ('ratios', 'message'),
    [
        ([], 'No ratios; expected numbers from 0 to below 1'),
        ([0.5, 1.0], 'Ratios out of range: 1; expected numbers from 0 to below 1'),
        ([0.5, 0.25], 'expected each to be larger'),
    ],
)
def test_ratios_that_make_no_sweep_are_refused(ratios, message):
    with pytest.raises(OptionError, match=message):
        sweeping.check_ratios(ratios)


def test_the_table_has_the_columns_of_network_pruning():
    points = [
        sweeping.Point(0.25, Outcome(0.5, 0.75), Outcome(1.25, None)),
    ]

    assert sweeping.as_csv(points) == (
        'Sparsity,Acc (weight),Acc (unit),Loss (weight),Loss (unit)\n'
        '0.2500,0.7500,,0.5000,1.2500\n'
    )


def test_the_fingerprint_is_that_of_weights_and_data(subject, probe):
    fewer = Batches(lambda: itertools.islice(DATA.start(), 2))

    assert Probe(subject, DATA).fingerprint == probe.fingerprint
    assert Probe(subject, fewer).fingerprint != probe.fingerprint
    assert Probe(subject, DATA, Steps(1, 0.01)).fingerprint != probe.fingerprint


POINTS = np.random.RandomState(2).normal(size=[32, 4]).astype(np.float32)
QUADRANTS = {
    'x': POINTS,
    'y': ((POINTS[:, 0] > 0) ^ (POINTS[:, 1] > 0)).astype(np.int32),
}


@pytest.fixture(scope='module', params=['ref', 'resource'])
def classifier(request, tmp_path_factory):
    """A trained network of which the hidden units matter."""
    prefix = str(tmp_path_factory.mktemp(request.param) / 'model.ckpt')
    start = tf.random_normal_initializer(seed=3)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        y = tf.placeholder(tf.int32, [None], 'y')
        use_resource = request.param == 'resource'
        with tf.variable_scope('', use_resource=use_resource, initializer=start):
            # Of 0 it is a half: what reads a zeroed unit would be trained by it.
            hidden = tf.layers.dense(x, 16, tf.sigmoid, name='hidden')
            logits = tf.layers.dense(hidden, 2, name='logits')
        tf.identity(logits, 'output')
        loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
        train = tf.train.AdamOptimizer(0.1).minimize(loss)
        session.run(tf.global_variables_initializer())
        for _ in range(40):
            session.run(train, {x: QUADRANTS['x'], y: QUADRANTS['y']})
        tf.train.Saver().save(session, prefix)
    return model(prefix)


def stepped(subject, count):
    """A probe with steps, and the plan that takes half of the hidden units."""
    steps = Steps(count, 0.5) if count else None
    probe = Probe(subject, Batches.of_arrays(QUADRANTS, 16), steps)
    scorer = ranking_by('l1').scorer(subject.model)
    (group,) = [g for g in subject.model.groups if not g.frozen]
    return probe, probe.plan([group], 0.5, scorer)


def test_steps_win_back_a_part_of_what_pruning_costs(classifier):
    changes = []
    for count in (0, 5, 60):
        probe, plan = stepped(classifier, count)
        changes.append(probe.pruned(plan).loss - probe.unpruned().loss)

    # There is a cost to begin with, and ever less of it is left.
    assert changes[0] > 0.1
    assert changes[0] > changes[1] > changes[2] > 0


def test_points_do_not_depend_on_those_before_them(classifier):
    probe, plan = stepped(classifier, 5)
    other, _ = stepped(classifier, 5)

    found = [probe.unpruned(), probe.pruned(plan), probe.unpruned()]

    assert other.pruned(plan) == found[1]
    assert found[0] == found[2] == other.unpruned()
    assert found[0] != found[1]


def test_what_is_removed_has_no_part_in_the_steps(classifier):
    probe, plan = stepped(classifier, 20)
    (gone,) = [list(group.removed) for group in plan.groups]
    arrays = classifier.model.variables

    found = probe.pruned(plan)

    assert len(gone) == 8
    assert found.loss == pytest.approx(without_units(arrays, gone), rel=1e-4)


def without_units(arrays, gone):
    """The loss after 20 steps of a network that never had some hidden units."""
    keep = np.delete(np.arange(16), gone)
    weights = [
        arrays['hidden/kernel'][:, keep],
        arrays['hidden/bias'][keep],
        arrays['logits/kernel'][keep],
        arrays['logits/bias'],
    ]
    for number in range(20):
        part = slice(0, 16) if number % 2 == 0 else slice(16, 32)
        _, gradients = loss_and_gradients(weights, part)
        weights = [w - 0.5 * g for w, g in zip(weights, gradients)]
    return loss_and_gradients(weights, slice(0, 32))[0]


def loss_and_gradients(weights, part):
    w1, b1, w2, b2 = weights
    x, y = QUADRANTS['x'][part], QUADRANTS['y'][part]
    hidden = 1 / (1 + np.exp(-(x @ w1 + b1)))
    shares = np.exp(hidden @ w2 + b2)
    shares /= shares.sum(axis=1, keepdims=True)
    error = (shares - np.eye(2)[y]) / len(x)
    back = (error @ w2.T) * hidden * (1 - hidden)
    loss = -np.log(shares[np.arange(len(x)), y]).mean()
    return loss, (x.T @ back, back.sum(0), hidden.T @ error, error.sum(0))
