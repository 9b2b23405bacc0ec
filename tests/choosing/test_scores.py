from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.surgery import nets
from tf1pruning.choosing import scores as scores_lib
from tf1pruning.choosing.scores import Combination, WeightScorer
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError

# Two layers, three channels.
SCORES = np.array([[-1.0, -2.0, -3.0], [-6.0, -4.0, -2.0]])


@pytest.mark.parametrize(
    ('combine', 'expected'),
    [
        ('mean', [-3.5, -3.0, -2.5]),
        ('max', [-6.0, -4.0, -3.0]),
        ('first', [-1.0, -2.0, -3.0]),
    ],
)
def test_the_scores_of_layers_become_one(combine, expected):
    assert Combination(combine)(SCORES).tolist() == expected


@pytest.mark.parametrize(
    ('normalizer', 'scales'),
    [('none', (1, 1)), ('mean', (2, 4)), ('l2', (14**0.5, 56**0.5)), ('max', (3, 6))],
)
def test_layers_are_made_comparable_first(normalizer, scales):
    found = Combination('mean', normalizer)(SCORES)

    expected = (SCORES[0] / scales[0] + SCORES[1] / scales[1]) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_layer_of_zero_scores_stays_zero():
    assert Combination('mean', 'l2')(np.zeros([1, 2])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('sum',), "combine is 'sum'; expected one of 'mean', 'max', 'first'"),
        (('mean', 'l1'), "normalizer is 'l1'; expected one of 'none', 'mean', 'l2'"),
    ],
)
def test_an_unknown_way_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Combination(*options)


def tied():
    """Two convolutions of three channels, added, and a third that reads them."""
    graph = nets.chain(
        lambda x: nets.conv('a', 3)(x) + nets.conv('b', 3)(x), nets.conv('c', 2)
    )
    return nets.net_of(graph)


def test_all_producers_of_a_group_count():
    net = tied()
    scorer = WeightScorer(net.trace, net.arrays, registry.find('l1'))

    scored = scorer(net.group('a'))

    by_layer = [
        np.abs(net.arrays[f'{name}/kernel']).sum(axis=(0, 1, 2)) for name in 'ab'
    ]
    np.testing.assert_allclose(scored.scores, -np.mean(by_layer, axis=0), rtol=1e-6)
    assert scored.magnitudes.tolist() == [0, 0, 0]


def criterion(score, counted=False):
    return registry.Criterion('made up', score, False, False, counted)


FLAT = criterion(lambda kernel, axis: np.ones(kernel.shape[axis]))


def test_among_equal_scores_the_smallest_filter_goes_first():
    net = tied()
    scorer = WeightScorer(net.trace, net.arrays, FLAT)

    scored = scorer(net.group('a'))

    norms = sum(np.abs(net.arrays[f'{n}/kernel']).sum(axis=(0, 1, 2)) for n in 'ab')
    np.testing.assert_allclose(scored.magnitudes, norms, rtol=1e-6)
    assert scored.order().tolist() == np.argsort(norms).tolist()


def test_magnitudes_are_read_where_only_some_scores_are_equal():
    net = tied()

    scored = scores_lib.with_tie_breakers(
        net.group('a'), np.array([1.0, 2.0, 1.0]), net.trace, net.arrays
    )

    assert scored.magnitudes.all()


def test_the_filters_that_make_one_channel_are_averaged():
    def grouped(x):
        return tf.nn.conv2d(x, tf.get_variable('b/kernel', [1, 1, 6, 8]), 1, 'SAME')

    net = nets.net_of(nets.chain(nets.conv('a', 12), grouped))
    norms = np.abs(net.arrays['a/kernel']).sum(axis=(0, 1, 2)).reshape(2, 6).mean(0)

    by_norm, by_magnitude = (
        WeightScorer(net.trace, net.arrays, each)(net.group('a'))
        for each in (registry.find('l1'), FLAT)
    )

    np.testing.assert_allclose(by_norm.scores, -norms, rtol=1e-6)
    np.testing.assert_allclose(by_magnitude.magnitudes, norms, rtol=1e-6)


def test_a_block_is_judged_by_its_expansion():
    net = nets.net_of(networks.inverted_residual_net())

    judged = scores_lib.judging_places(net.group(networks.BLOCK), net.trace)

    assert [p.variable for p in judged] == [f'{networks.BLOCK}/expand/conv/kernel']


def test_channels_that_a_depthwise_layer_alone_makes_are_judged_by_it():
    def build(x):
        mean = tf.reduce_mean(x, [1, 2, 3], keepdims=True)
        scaled = mean * tf.get_variable('vector', [1, 1, 1, 4])
        return nets.conv('a', 3)(x) + nets.conv('b', 3)(networks.depthwise(scaled))

    net = nets.net_of(nets.chain(build))
    (group,) = [g for g in net.groups if not g.frozen]

    judged = scores_lib.judging_places(group, net.trace)

    assert [place.variable for place in judged] == ['weights']


def test_a_counted_criterion_sees_the_filters_of_its_group_alone():
    def joined(x):
        return tf.concat([nets.conv('a', 3)(x), nets.conv('b', 2)(x)], -1)

    net = nets.net_of(
        nets.chain(lambda x: nets.conv('whole', 5)(x) + joined(x), nets.conv('c', 2))
    )
    sums = criterion(lambda filters, axis, kept: filters.sum((1, 2, 3, 4)), True)
    scorer = WeightScorer(net.trace, net.arrays, sums, Combination('first'))

    scored = scorer(net.group('whole#2'), 1)

    expected = net.arrays['whole/kernel'].sum((0, 1, 2))[3:]
    np.testing.assert_allclose(scored.scores, expected, rtol=1e-6)


def test_clusters_are_those_of_the_group_s_own_filters():
    net = tied()
    scorer = WeightScorer(net.trace, net.arrays, registry.find('kmeans'))

    scored = scorer(net.group('a'), 2)

    # Each of the two layers keeps two of three.
    assert scored.scores.sum() == 1.0


def test_clusters_need_the_number_that_stays():
    net = tied()
    scorer = WeightScorer(net.trace, net.arrays, registry.find('kmeans'))

    with pytest.raises(OptionError, match="'kmeans' needs to know how many channels"):
        scorer(net.group('a'))


def test_batch_norm_scales_that_a_group_lacks_are_named():
    net = tied()
    scorer = WeightScorer(net.trace, net.arrays, registry.find('bn_scale'))

    with pytest.raises(OptionError, match="group 'a' has none"):
        scorer(net.group('a'))


def test_of_equal_scores_the_smallest_magnitude_goes_first():
    group = tied().group('a')
    scores = np.array([0.5, 0.9, 0.5])

    scored = scores_lib.Scored(group, scores, np.array([2.0, 3.0, 1.0]))

    assert scored.order().tolist() == [1, 2, 0]
