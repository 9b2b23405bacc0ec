from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies import trained
from tests.studies.trained import BLOCK
from tf1pruning.errors import OutputError, PlanError
from tf1pruning.models import reading
from tf1pruning.steps import (
    planning,
    protection,
    soft_pruning,
    stripping,
    writing,
)
from tf1pruning.steps.selection import select_groups

REMOVED = {BLOCK: [0, 1, 2, 3, 4, 5]}


def zeroed(arrays):
    """Zeros the whole channel 0 ... 5 of the block."""
    gone = slice(0, 6)
    arrays[f'{BLOCK}/expand/conv/kernel'][..., gone] = 0
    arrays[f'{BLOCK}/depthwise/weights'][:, :, gone] = 0
    arrays[f'{BLOCK}/project/conv/kernel'][:, :, gone] = 0


@pytest.fixture
def source(tmp_path):
    prefix = networks.save(networks.inverted_residual_net(), str(tmp_path / 'net'))
    return reading.load(
        trained.changed_copy(prefix, str(tmp_path / 'zeroed'), zeroed), ('output',)
    )


def plan_of(source):
    groups = {group.name: group for group in source.groups if not group.frozen}
    return planning.plan_by_filters(source, groups, REMOVED, 1, 'block')


def test_a_plan_is_stripped_and_measured(source):
    result = stripping.strip_model(source, plan_of(source))

    assert result.stripped.plan.widths()[BLOCK] == 18
    assert result.comparison.relative <= 1e-5
    # A channel: 8 + 9 + 8 weights, 8 values of two batch norms; 64 pixels.
    assert result.before.parameters - result.after.parameters == 6 * (25 + 8)
    assert result.before.macs - result.after.macs == 6 * 64 * 25
    # All layers of the block count as prunable.
    assert result.before.prunable_macs == 24 * 64 * 25
    assert result.after.prunable_macs == 18 * 64 * 25


def test_without_a_plan_the_zero_filters_go(source):
    result = stripping.strip_model(source)

    assert result.stripped.plan.widths()[BLOCK] == 18


def test_what_reads_a_part_of_a_partitioned_kernel_reads_what_it_read(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        with tf.variable_scope('', partitioner=tf.fixed_size_partitioner(2, axis=3)):
            y = networks.conv(x, 8, name='a', use_bias=False)
        part = graph.get_tensor_by_name('a/kernel/part_0/read:0')
        y = networks.conv(y, 2, name='b') * tf.reduce_mean(part)
        tf.identity(y, name='output')
    source = reading.load(networks.save(graph, str(tmp_path / 'net')), ('output',))
    groups = {group.name: group for group in source.groups if not group.frozen}
    # Channels 0 and 1 lie in the part, and its mean over four stays.
    plan = planning.plan_by_filters(source, groups, {'a': [0, 1, 6]}, 1, 'block')

    found = stripping.strip_model(soft_pruning.with_zeros(source, plan), plan)

    assert found.comparison.relative <= 1e-5
    assert found.stripped.arrays.shapes['a/kernel'] == (1, 1, 3, 5)


def test_the_result_in_one_line(source):
    line = stripping.summary_line(stripping.strip_model(source, plan_of(source)))

    assert line.startswith('Stripped 6 of 36 channels; largest difference of the out')
    assert line.endswith(' of their scale.')
    assert '\n' not in line


def test_what_was_not_compared_is_not_reported(source):
    result = stripping.strip_model(source, plan_of(source), verify=False)

    assert result.comparison is None
    assert stripping.report(result)['max_difference_relative'] is None
    assert stripping.summary_line(result) == (
        'Stripped 6 of 36 channels; outputs were not compared.'
    )


def test_the_report_names_every_group(source):
    report = stripping.report(stripping.strip_model(source, plan_of(source)))

    widths = {group['name']: group['after'] for group in report['groups']}
    assert widths == {'net/Conv/conv': 8, BLOCK: 18, 'SE1': 4, 'Logits/dense': 5}
    assert report['kept'] == []


def shifted(arrays):
    """Zeros six filters of the block, and leaves the constants behind them."""
    zeroed(arrays)
    arrays[f'{BLOCK}/project/conv/kernel'][:] = 0.5
    arrays[f'{BLOCK}/depthwise/BatchNorm/beta'][:] = 0.25


def test_constants_that_layers_took_up_are_counted_and_named(source, tmp_path):
    prefix = trained.changed_copy(source.path, str(tmp_path / 'shifted'), shifted)
    result = stripping.strip_model(reading.load(prefix, ('output',)))
    exact = stripping.strip_model(source)

    mean = f'{BLOCK}/project/BatchNorm/moving_mean'
    assert stripping.report(result)['took_up_constants'] == [mean]
    line = stripping.folded_line(result)
    assert line.startswith('Layers that took up constants of removed channels: 1 (')
    assert 'in training mode, with batch norm on the batch, the outputs differ' in line
    assert stripping.folded_line(exact) == ''
    assert stripping.report(exact)['took_up_constants'] == []


def test_a_result_prints_short(source):
    result = stripping.strip_model(source, plan_of(source))

    assert len(repr(result)) < 600
    assert repr(result).startswith('StrippedModel(comparison=Comparison(')
    assert len(repr(result.stripped)) < 2000
    assert len(repr(source)) < 1000


@pytest.mark.parametrize('ending', ['.index', '.meta', '.data-00000-of-00001'])
def test_the_files_of_the_source_are_protected(source, ending):
    with pytest.raises(OutputError, match='would replace its own source'):
        protection.check_target(source.path + ending, [source.path])


@pytest.mark.parametrize(
    ['path', 'model'],
    [
        ('out/saved_model', 'out/saved_model/1'),
        ('out/saved_model', 'out/saved_model/model.ckpt'),
        ('exported/variables/variables.data-00000-of-00001', 'exported'),
        ('frozen.pb', './frozen.pb'),
    ],
)
def test_a_target_replaces_what_is_a_part_of_it_or_holds_it(path, model):
    assert protection.replaces(path, model)


@pytest.mark.parametrize(
    ['path', 'model'],
    [
        ('out/saved_model', 'out/saved_model_1'),
        ('model.ckpt-1', 'model.ckpt-10'),
        ('exported/groups.json', 'exported'),
    ],
)
def test_a_target_beside_a_model_does_not_replace_it(path, model):
    assert not protection.replaces(path, model)


def test_the_source_is_never_replaced(source, tmp_path):
    result = stripping.strip_model(source, plan_of(source))
    before = trained.contents(tmp_path)

    with pytest.raises(OutputError, match='would replace its own source'):
        writing.write_network(
            source.path, result.stripped.graph, result.stripped.arrays, source
        )

    assert trained.contents(tmp_path) == before


def test_a_plan_is_checked_against_graph_and_groups(source, tmp_path):
    plan = plan_of(source)
    other = networks.save(trained.gates('SE1'), str(tmp_path / 'gates'))

    assert select_groups(source).check_plan(plan) is None
    with pytest.raises(PlanError, match='made for'):
        select_groups(reading.load(other, ('output',))).check_plan(plan)
