"""Points of curves are what the pruned checkpoint itself gives."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from tests.workflow import trained
from tests.workflow.test_data_scores import model
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.scoring.batches import Batches, of_arrays
from tf1pruning.scoring.evaluation import Outcome
from tf1pruning.workflow import data_scores, planning, sweeping
from tf1pruning.workflow.probing import Probe

GENERATOR = np.random.RandomState(0)
DATA = of_arrays(
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
    return [g for g in subject.source.groups if g.name in (trained.BLOCK, trained.GATE)]


def measured_anew(subject, source):
    """The outcome of weights that are loaded from the start."""
    return Probe(dataclasses.replace(subject, source=source), DATA).unpruned()


def test_a_point_is_that_of_the_soft_pruned_model(subject, probe, groups):
    scorer = planning.weight_scorer(subject.source, registry.find('l1'))
    means = data_scores.score(subject, groups, DATA, ['apoz']).means
    plan = probe.plan(groups, 0.5, scorer)

    found = [probe.pruned(plan), probe.pruned(plan, means), probe.unpruned()]

    expected = [
        measured_anew(subject, probe.pruned_source(plan)),
        measured_anew(subject, probe.pruned_source(plan, means)),
        measured_anew(subject, subject.source),
    ]
    for one, other in zip(found, expected):
        assert one.loss == pytest.approx(other.loss, rel=1e-6)
        assert one.accuracy == other.accuracy
    assert len({outcome.loss for outcome in found}) == 3


def test_a_sweep_begins_with_the_whole_model(subject, probe, groups):
    scorer = planning.weight_scorer(subject.source, registry.find('l2'))
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
    scorer = planning.weight_scorer(subject.source, registry.find('l2'))

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
        ([], 'Ratios are not given; expected numbers from 0 to below 1'),
        ([0.5, 1.0], 'Ratios 1; expected numbers from 0 to below 1'),
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
