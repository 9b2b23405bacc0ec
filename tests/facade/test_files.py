"""The files that each step writes, and the views in them."""

from __future__ import annotations

import json
import os

import pytest
from tensorboard.backend.event_processing import event_accumulator

from tests.facade.steps import EXPAND, PROJECT, THRESHOLD, saved_plan
from tests.studies import trained
from tests.studies.trained import BLOCK, GATE
from tf1pruning.ckpt.checkpoint import Checkpoint

PARAMS = (
    'Pruning_Dict/Bias_Vars_Dict.json',
    'Pruning_Dict/Conv_Vars_Dict.json',
    'Pruning_Dict/Scope_Conv_Dict.json',
)
PRUNED = (
    'Pruned_Dir/Pruned_Filters.txt',
    'Pruned_Dir/checkpoint',
    'Pruned_Dir/model.ckpt-100.data-00000-of-00001',
    'Pruned_Dir/model.ckpt-100.index',
    'Pruned_Dir/model.ckpt-100.meta',
)


def test_each_step_of_soft_pruning_writes_its_files(new, tmp_path):
    pruning = new()
    folder = tmp_path / 'out'
    assert not folder.exists()

    pruning.get_pruning_params()
    assert trained.file_names(folder) == PARAMS

    pruning.set_threshold(THRESHOLD)
    pruning.get_pruning_filters()
    plan_file = 'Pruning_Dict/Pruned_Filters.json'
    assert set(trained.file_names(folder)) == {*PARAMS, plan_file}

    found = pruning.get_pruning_ckpt()
    assert found == str(folder / 'Pruned_Dir' / 'model.ckpt-100')
    assert set(trained.file_names(folder)) == {*PARAMS, plan_file, *PRUNED}


def test_all_files_at_the_end(finished):
    found = trained.file_names(finished.folder)

    name = os.path.basename(finished.pruning.retrained_ckpt_path)
    events = [f for f in found if f.startswith('events/')]
    files = ('{}.data-00000-of-00001', '{}.index', '{}.meta')
    assert len(events) == 1
    assert set(found) - set(events) == {
        *PARAMS,
        *PRUNED,
        'Pruning_Dict/Pruned_Filters.json',
        'Pruning_Dict/Strip_Nodes_Dict.json',
        'Pruning_Dict/Strip_Vars_Dict.json',
        'Pruning_Summary.txt',
        'summary.json',
        'Rebuild_CKPT/checkpoint',
        f'Rebuild_CKPT/{name}.pbtxt',
        *(f'Rebuild_CKPT/{file.format(name)}' for file in files),
        'Stripped_Dir/checkpoint',
        'Stripped_Dir/modify.pb',
        'Stripped_Dir/report.json',
        'Stripped_Dir/training.meta',
        *(f'Stripped_Dir/{file.format(name)}' for file in files),
    }


def test_no_temporary_files_are_left(finished):
    assert not [name for name in trained.contents(finished.folder) if '.tmp-' in name]


def test_the_source_checkpoint_stays_byte_for_byte(finished):
    assert len(finished.source_before) >= 4
    assert finished.source_after == finished.source_before


@pytest.mark.parametrize(
    ('file', 'view'),
    [
        ('Scope_Conv_Dict', 'scope_conv_dict'),
        ('Conv_Vars_Dict', 'conv_vars_dict'),
        ('Bias_Vars_Dict', 'bias_vars_dict'),
        ('Strip_Nodes_Dict', 'strip_nodes_dict'),
        ('Strip_Vars_Dict', 'strip_vars_dict'),
    ],
)
def test_the_files_hold_the_views(finished, file, view):
    with open(os.path.join(finished.folder, 'Pruning_Dict', f'{file}.json')) as found:
        assert json.load(found) == getattr(finished.pruning, view)


def test_the_plan_file_holds_the_plan(finished):
    plan = saved_plan(finished.folder)

    assert plan == finished.pruning.plan
    assert (plan.threshold, plan.mode, plan.channel_multiple) == (THRESHOLD, 'block', 4)
    assert plan.removed_count > 0


def test_the_views_have_the_documented_form(finished):
    pruning = finished.pruning
    block = BLOCK + '/'
    removed = {group.name: list(group.removed) for group in pruning.plan.groups}

    assert list(pruning.scope_conv_dict) == [GATE, block]
    assert pruning.scope_conv_dict[GATE] == ['SE1/reduce/Conv2D', 'SE1/expand/Conv2D']
    assert pruning.conv_vars_dict['SE1/reduce/Conv2D'] == 'SE1/reduce/kernel:0'
    assert pruning.bias_vars_dict['SE1/reduce/Conv2D'] == ['SE1/reduce/bias:0']
    assert pruning.pruning_filters_dict == {GATE: removed[GATE], block: removed[BLOCK]}
    assert pruning.strip_nodes_dict == {block: pruning.scope_conv_dict[block]}
    assert pruning.strip_vars_dict[EXPAND] == {'3': removed[BLOCK]}
    assert pruning.strip_vars_dict[PROJECT] == {'2': removed[BLOCK]}


def test_the_report_of_the_pruned_filters(finished):
    path = os.path.join(finished.folder, 'Pruned_Dir', 'Pruned_Filters.txt')
    removed = finished.pruning.pruning_filters_dict[BLOCK + '/']

    with open(path) as file:
        lines = file.read().splitlines()

    assert lines[0] == 'threshold 0.6, mode block, channel multiple 4'
    assert f'{BLOCK}: {len(removed)}/24' in lines
    assert f'  filters {removed}' in lines


def test_the_summary_is_a_file_and_an_attribute(finished):
    with open(os.path.join(finished.folder, 'summary.json')) as file:
        found = json.load(file)
    with open(os.path.join(finished.folder, 'Pruning_Summary.txt')) as file:
        first = file.readline()

    rate = finished.pruning.failed_rate
    assert found['failure_rate'] == rate == 0.0
    assert found['planned'] == 7 * finished.pruning.plan.removed_count
    assert list(found['scopes']) == [GATE, BLOCK]
    assert first == (
        f'failure rate 0.0000: 0 of {found["planned"]} planned places are not zero\n'
    )


@pytest.fixture(scope='module')
def events(finished):
    folder = os.path.join(finished.folder, 'events')
    return event_accumulator.EventAccumulator(folder).Reload()


def test_the_scalars_of_the_step(finished, events):
    pruning = finished.pruning
    step = int(Checkpoint(pruning.retrained_ckpt_path)['global_step'])

    after = pruning.strip_report.after
    found = {}
    for tag in events.Tags()['scalars']:
        (event,) = events.Scalars(tag)
        # Accuracy and widths are filed under the cost, to be drawn over it.
        assert event.step == (after.macs // 1000 if 'kmacs' in tag else step)
        found[tag] = event.value
    assert found == {
        'threshold': pytest.approx(THRESHOLD),
        'pruned_channels': pruning.plan.removed_count,
        'kept_channels': pruning.plan.kept_count,
        'parameters': after.parameters,
        'macs': after.macs,
        'prunable_macs': after.prunable_macs,
        'failure_rate': 0.0,
        'accuracy': 0.75,
        'accuracy_by_kmacs': 0.75,
        **{
            f'kept_width_by_kmacs/{name}': kept
            for name, kept in pruning.plan.widths().items()
        },
    }


def test_the_norms_and_the_graph_of_the_step(events):
    tags = [f'filter_norm/{group}' for group in (GATE, BLOCK)]
    assert events.Tags()['histograms'] == tags
    assert events.Tags()['graph']
    assert list(events.PluginTagToContent('text')) == ['groups']
