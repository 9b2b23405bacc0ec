from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies import trained
from tf1pruning.choosing.choice import Choice, Limits, Target
from tf1pruning.choosing.scores import Combination
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError, GraphError, OptionError, PlanError
from tf1pruning.models import reading
from tf1pruning.report import cost
from tf1pruning.sessions import RunLimits
from tf1pruning.steps import budgets, planning
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.steps.selection import select_groups

BLOCK, GATE = trained.BLOCK, trained.GATE
KERNEL = f'{BLOCK}/expand/conv/kernel'


def read(prefix, scopes=('',)):
    source = reading.load(prefix, ('output',))
    return source, select_groups(source, scopes, 'inner').groups


def saved(folder, **arrays):
    """A checkpoint of the inverted-residual net with some arrays replaced."""
    graph = networks.inverted_residual_net()
    prefix = networks.save(graph, str(folder / 'plain'))
    return trained.changed_copy(
        prefix, str(folder / 'changed'), lambda found: found.update(arrays)
    )


def plan_by_sparsity(source, groups, threshold, multiple):
    choice = Choice(threshold=threshold, limits=Limits(multiple))
    ranking = ranking_by('sparsity')
    return planning.plan_by_choice(source, groups.values(), choice, ranking)


def sparse_kernel():
    """24 filters of 8 weights; filter n has 8 - n // 3 large ones, the others are 0."""
    kernel = np.zeros([1, 1, 8, 24], np.float32)
    for filter_ in range(24):
        kernel[0, 0, : 8 - filter_ // 3, filter_] = 1
    return kernel


def test_the_filters_above_the_threshold_go_down_to_a_multiple(tmp_path):
    prefix = saved(tmp_path, **{KERNEL: sparse_kernel()})
    source, groups = read(prefix, [BLOCK])

    plan = plan_by_sparsity(source, groups, 0.7, 4)

    # Zeros in filter n: n // 3 of 8. Above 0.7 are n = 18 ... 23, all of 6 and 7.
    # 24 - 6 = 18 is rounded up to 20: the four sparsest go, n = 21 ... 23 first, then
    # one of the three equal ones 18 ... 20, the first.
    (group,) = plan.groups
    assert (group.removed, group.wanted) == ((18, 21, 22, 23), 6)
    assert (plan.threshold, plan.mode, plan.channel_multiple) == (0.7, 'block', 4)


def test_a_filter_at_the_threshold_stays(tmp_path):
    prefix = saved(tmp_path, **{KERNEL: sparse_kernel()})
    source, groups = read(prefix, [BLOCK])

    plan = plan_by_sparsity(source, groups, 0.75, 1)

    # 6 of 8 weights lie below the mean in filters 18 ... 20.
    assert plan.groups[0].removed == (21, 22, 23)


def test_the_largest_score_says_why_nothing_goes(tmp_path):
    source, groups = read(saved(tmp_path, **{KERNEL: sparse_kernel()}), [BLOCK])
    scorer = ranking_by('sparsity').scorer(source)
    plan = plan_by_sparsity(source, groups, 0.9, 1)

    line = planning.why_nothing_goes(
        plan, list(groups.values()), Choice(threshold=0.9), scorer
    )

    # 7 of 8 weights lie below the mean in filters 21 ... 23.
    assert (plan.removed_count, line) == (
        0,
        'Nothing goes: the largest score of a channel is 0.875, not above the '
        'threshold 0.9.',
    )


def test_nan_in_any_weight_is_refused(tmp_path):
    bias = np.array([0, np.nan, 0, 0], np.float32)
    source, groups = read(saved(tmp_path, **{'SE1/reduce/bias': bias}), [BLOCK])

    with pytest.raises(CheckpointError, match="'SE1/reduce/bias'"):
        plan_by_sparsity(source, groups, 0.7, 4)


@pytest.fixture
def plain(tmp_path):
    return read(networks.save(networks.inverted_residual_net(), str(tmp_path / 'net')))


@pytest.mark.parametrize('key', [BLOCK, BLOCK + '/', '/' + BLOCK])
def test_named_filters_are_planned_as_they_are(plain, key):
    source, groups = plain

    plan = planning.plan_by_filters(source, groups, {key: [5, 1, 5]}, 4, 'block')

    assert {group.name: group.removed for group in plan.groups} == {
        BLOCK: (1, 5),
        GATE: (),
    }
    assert plan.threshold is None


@pytest.mark.parametrize(
    ('filters', 'message'),
    [
        ({'SE10': [1]}, r"'SE10', which is no group\. Nearest names: 'SE1'"),
        ({GATE: [4]}, "Filter 4 is given for 'SE1', which has 4"),
        ({GATE: [-1, 2]}, "Filter -1 is given for 'SE1', which has 4"),
        ({GATE: [0, 1, 2, 3]}, "'SE1' would lose all its channels"),
    ],
)
def test_filters_that_do_not_exist_are_refused(plain, filters, message):
    source, groups = plain

    with pytest.raises(PlanError, match=message):
        planning.plan_by_filters(source, groups, filters, 4, 'block')


def by_choice(loaded, choice, normalizer='none'):
    source, groups = loaded
    combination = Combination('mean', normalizer)
    ranking = ranking_by('l1', combination=combination)
    return planning.plan_by_choice(source, groups.values(), choice, ranking)


@pytest.mark.parametrize('quantity', ['macs', 'parameters'])
def test_a_target_is_met_and_not_missed_by_more_than_a_channel(plain, quantity):
    source, _ = plain

    plan = by_choice(plain, Choice(target=Target(quantity, 0.7)))

    def left(p):
        shapes = cost.planned_shapes(source.trace, p.cuts)
        return getattr(cost.measure(source.trace, shapes, ()), quantity)

    nothing = planning.plan_by_filters(source, plain[1], {}, 1, 'block')
    whole = left(nothing)
    channel = max(budgets.channel_macs(source, source.groups[:2]).values())
    slack = channel if quantity == 'macs' else 8 + 9 + 8 + 8
    assert 0.7 * whole - slack <= left(plan) <= 0.7 * whole
    assert plan.threshold is None


def test_a_channel_costs_the_macs_of_the_layers_that_touch_it(plain):
    source, groups = plain

    costs = budgets.channel_macs(source, groups.values())

    # 64 pixels: 8 to make it, 3 * 3 depthwise, 8 to read it. The gate has one pixel.
    assert costs == {BLOCK: 64 * (8 + 9 + 8), GATE: 8 + 8}


def test_a_penalty_spares_the_cheap_gate(plain):
    amount = {'count': 12, 'ranking': 'global'}

    free = by_choice(plain, Choice(**amount))
    penalized = by_choice(plain, Choice(**amount, flop_penalty=10.0))

    assert free.widths()[GATE] < 4
    assert penalized.widths() == {BLOCK: 12, GATE: 4}


def test_a_measured_latency_is_a_target_too(plain):
    source, _ = plain
    plan = by_choice(plain, Choice(ratio=0.5))

    for seconds in budgets.planned_latencies(source, plan):
        assert 0 < seconds < 10
    with pytest.raises(PlanError, match=r'0\.0% of the latency'):
        by_choice(plain, Choice(target=Target('latency', 1e-6)))


def test_a_latency_is_measured_by_pure_ops_unless_others_are_allowed(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = networks.conv(tf.nn.relu(networks.conv(x, 4, name='a')), 4, name='b')
        tf.identity(tf.py_func(lambda array: array, [x], tf.float32), name='output')
    source = reading.load(
        networks.save(graph, str(tmp_path / 'model.ckpt')), ['output']
    )
    groups = select_groups(source, [''], 'all').groups.values()
    choice, ranking = Choice(target=Target('latency', 1e-6)), ranking_by('l1')

    with pytest.raises(GraphError, match=r"pure and may .*'PyFunc' \(PyFunc\)"):
        planning.plan_by_choice(source, groups, choice, ranking)
    with pytest.raises(PlanError, match=r'0\.0% of the latency'):
        planning.plan_by_choice(
            source, groups, choice, ranking, limits=RunLimits(allow_unsafe=True)
        )


def test_ratios_for_scopes_that_hold_nothing_are_refused(plain):
    with pytest.raises(OptionError, match=r"'SE3'.*Nearest names: 'SE1'"):
        by_choice(plain, Choice(scope_ratios=(('SE3', 0.5),)))


def test_the_plan_names_the_variables_of_the_checkpoint(plain):
    source, groups = plain

    plan = planning.plan_by_filters(source, groups, {BLOCK: [0], GATE: [0]}, 4, 'block')

    assert {cut.variable for cut in plan.cuts} <= set(Checkpoint(source.path))


def test_filters_that_no_zeros_can_make_are_not_planned_by_filter(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        v, gain = tf.get_variable('a/v', [1, 1, 3, 8]), tf.get_variable('a/g', [8])
        kernel = gain * v / tf.sqrt(tf.reduce_sum(v * v, [0, 1, 2]))
        x = tf.nn.conv2d(x, kernel, 1, 'SAME')
        tf.identity(networks.conv(x, 2, name='b'), name='output')
    source = reading.load(networks.save(graph, str(tmp_path / 'model')), ('output',))
    groups = select_groups(source).groups
    chosen = Choice(ratio=0.5), ranking_by('l1')

    plan = planning.plan_by_choice(source, groups.values(), *chosen, mode='block')

    assert plan.widths() == {'a': 4}
    with pytest.raises(PlanError, match=r"those of 'a' are constants, or are computed"):
        planning.plan_by_choice(source, groups.values(), *chosen, mode='filter')


def test_a_masked_filter_is_judged_by_what_is_left_of_it(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        mask = np.ones([1, 1, 3, 8], np.float32)
        mask[..., [1, 4]] = 0
        v = tf.get_variable('a/v', [1, 1, 3, 8])
        m = tf.get_variable('a/mask', initializer=mask, trainable=False)
        x = tf.nn.conv2d(x, v * m, 1, 'SAME')
        tf.identity(networks.conv(x, 2, name='b'), name='output')
    prefix = trained.changed_copy(
        networks.save(graph, str(tmp_path / 'model')),
        str(tmp_path / 'masked'),
        lambda found: found.update({'a/mask': mask}),
    )
    source = reading.load(prefix, ('output',))
    choice = Choice(count=2)

    plan = planning.plan_by_choice(
        source, select_groups(source).groups.values(), choice, ranking_by('l1')
    )

    assert plan.groups[0].removed == (1, 4)
