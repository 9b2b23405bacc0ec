"""Whole networks: the stripped one gives the answers of the soft-pruned one."""

from __future__ import annotations

import functools

import pytest

from benchmarks import coverage, subjects
from demo.networks.catalogue import NETWORKS
from tests.demo.networks import tiny
from tf1pruning.surgery import verify

# The smallest images that Keras accepts for the application.
APPLICATION_SIZES = {
    'VGG16': 32,
    'ResNet50': 32,
    'ResNet50V2': 32,
    'InceptionV3': 75,
    'InceptionResNetV2': 75,
    'Xception': 71,
    'MobileNet': 32,
    'MobileNetV2': 32,
    'DenseNet121': 32,
    'NASNetMobile': 32,
}
# Small enough for all scenarios here; `make zoo` runs those of the others.
SMALL = ('MobileNet', 'MobileNetV2')
# Four channels, all of them behind ReLUs, let no signal through with these weights.
SILENT = {
    ('ghostnet', 'all but 4'),
    ('MobileNet', 'all but 4'),
    ('MobileNetV2', 'all but 4'),
}
PRUNABLE = dict.fromkeys((*NETWORKS, *APPLICATION_SIZES), 1.0)
# Its two last convolutions are the outputs, behind a reshape and a concat.
PRUNABLE['feature_pyramid'] = 0.97


@functools.lru_cache(maxsize=2)
def zoo_case(name, resource=False):
    network = NETWORKS[name]
    subject = subjects.Subject(
        name, network.outputs, lambda: tiny.meta_graph(name, resource)
    )
    return coverage.load(subject)


@functools.lru_cache(maxsize=1)
def application_case(name):
    size = APPLICATION_SIZES[name]
    return coverage.load(subjects.keras_subject(name, size, classes=10))


def check(name, case, scenario, criterion):
    outcome = coverage.prune(case, scenario, criterion, case.free)

    assert outcome.difference <= verify.TOLERANCE
    assert outcome.removed == outcome.planned > 0
    assert outcome.effect > 0.01
    assert outcome.variation > 1e-3 or (name, scenario) in SILENT


def each(names):
    """Parametrizes; the tests of a network are on one worker, where it is made once."""
    return pytest.mark.parametrize(
        'name',
        [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names],
    )


def applications():
    for name in APPLICATION_SIZES:
        for scenario in coverage.SCENARIOS if name in SMALL else ('half',):
            group = pytest.mark.xdist_group(name)
            yield pytest.param(name, scenario, marks=group, id=f'{name}-{scenario}')


@pytest.mark.parametrize('criterion', sorted(coverage.CRITERIA))
@pytest.mark.parametrize('scenario', sorted(coverage.SCENARIOS))
@each(sorted(NETWORKS))
def test_stripped_zoo_network_is_exact(name, scenario, criterion):
    check(name, zoo_case(name), scenario, criterion)


@each(sorted(NETWORKS))
def test_stripped_zoo_network_of_resource_variables_is_exact(name):
    check(name, zoo_case(name, resource=True), 'half', 'l1')


@each(sorted(NETWORKS))
def test_each_group_alone_is_exact(name):
    case = zoo_case(name)

    differences = {
        group.name: coverage.difference_of(case, group)
        for group in case.free
        if group.width > 1
    }

    assert differences
    assert max(differences.values()) <= verify.TOLERANCE


@pytest.mark.parametrize(('name', 'scenario'), applications())
def test_stripped_keras_application_is_exact(name, scenario):
    check(name, application_case(name), scenario, 'sparsity')


@each(sorted(NETWORKS))
def test_prunable_share_of_a_zoo_network(name):
    assert coverage.count_channels(zoo_case(name)).share >= PRUNABLE[name]


@each(APPLICATION_SIZES)
def test_prunable_share_of_a_keras_application(name):
    case = application_case(name)

    assert coverage.count_channels(case).share >= PRUNABLE[name]
    assert case.trace.unsupported == ()


@pytest.mark.xdist_group('feature_pyramid')
def test_channels_that_stay_are_counted_with_their_reason():
    counted = coverage.count_channels(zoo_case('feature_pyramid'))

    # Two heads of 2 anchors: 4 coordinates and 3 classes.
    assert counted.frozen == {
        "reaches 'boxes': channels along another axis": 2 * (4 + 3)
    }
    assert counted.total - counted.prunable == 14
