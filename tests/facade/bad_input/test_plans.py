from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from tests import networks
from tests.studies import trained
from tests.studies.trained import BLOCK, GATE
from tf1pruning import OptionError, PlanError, Pruning


@pytest.mark.parametrize('value', [0, 1, -1, 'x', True, float('nan'), None])
def test_a_threshold_outside_0_to_1(refused, new, value):
    pruning = new(0.75)

    expected = r'expected a number( in \(0, 1\))?\.'
    refused(OptionError, expected, pruning.set_threshold, value)

    # The one before is still in force.
    pruning.get_pruning_params()
    pruning.get_pruning_filters()
    assert pruning.plan.threshold == 0.75


@pytest.fixture
def other_plan(tmp_path):
    """A plan file for a network with more filters."""
    prefix = networks.save(trained.gates('SE1', 'SE2'), str(tmp_path / 'other/gates'))
    pruning = Pruning(
        prefix,
        output_dir=str(tmp_path / 'other'),
        pruning_filters_dict={'SE1': [0], 'SE2': [1]},
    )
    pruning.get_pruning_params()
    pruning.get_pruning_filters()
    return str(tmp_path / 'other' / 'Pruning_Dict' / 'Pruned_Filters.json')


def test_a_plan_file_for_another_model(refused, new, other_plan):
    pruning = new()
    pruning.get_pruning_params()

    refused(PlanError, 'made for another model', pruning.get_pruning_ckpt, other_plan)
    assert pruning.plan is None


@pytest.mark.parametrize('again', [False, True], ids=['ckpt', 'process'])
def test_a_plan_for_another_model_in_the_output_dir(
    refused, new, other_plan, tmp_path, again
):
    target = tmp_path / 'out' / 'Pruning_Dict' / 'Pruned_Filters.json'
    pruning = new()
    pruning.get_pruning_params()
    shutil.copy(other_plan, str(target))

    if again:
        refused(
            PlanError, 'made for another model', pruning.pruning_process, retrain=True
        )
    else:
        refused(PlanError, 'made for another model', pruning.get_pruning_ckpt)


def test_a_plan_for_another_model_is_not_stripped(refused, new, other_plan, tmp_path):
    pruning = new()
    pruning.retrained_ckpt_path = pruning.input_ckpt_path
    pruning.get_rebuild_graph()
    os.makedirs(str(tmp_path / 'out' / 'Pruning_Dict'))
    shutil.copy(other_plan, str(tmp_path / 'out' / 'Pruning_Dict'))

    refused(PlanError, 'made for another model', pruning.get_strip_params)


@pytest.mark.parametrize('text', ['', '{}', 'garbage', '{"format": 1}'])
def test_a_plan_file_that_is_none(refused, new, tmp_path, text):
    path = tmp_path / 'plan.json'
    path.write_text(text)
    pruning = new()
    pruning.get_pruning_params()

    refused(PlanError, r'plan\.json', pruning.get_pruning_ckpt, str(path))


def test_a_missing_plan_file(refused, new):
    pruning = new()
    pruning.get_pruning_params()

    refused(PlanError, r'none\.json', pruning.get_pruning_ckpt, 'none.json')


@pytest.mark.parametrize(
    ('filters', 'message'),
    [
        ({'SE10': [0]}, "'SE10', which is no group. Nearest names: 'SE1'"),
        ({GATE: [4]}, "Filter 4 is given for 'SE1', which has 4"),
        ({GATE: [0, 1, 2, 3]}, "'SE1' would lose all its channels"),
    ],
)
def test_given_filters_that_do_not_exist(
    refused, checkpoint, tmp_path, filters, message
):
    pruning = Pruning(
        checkpoint, output_dir=str(tmp_path / 'out'), pruning_filters_dict=filters
    )

    refused(PlanError, message, pruning.pruning_process)


def all_redundant(original, folder):
    """Every filter of the block has one large weight, all others are small."""

    def change(arrays):
        kernel = arrays[f'{BLOCK}/expand/conv/kernel']
        kernel[:] = np.linspace(1e-3, 2e-3, 24)
        kernel[:, :, 0] = 1.0

    return trained.changed_copy(original, str(folder), change)


def test_a_group_with_all_filters_above_the_threshold_is_capped(original, tmp_path):
    prefix = all_redundant(original, tmp_path / 'redundant')
    pruning = Pruning(prefix, [BLOCK], output_dir=str(tmp_path / 'out'))
    pruning.set_threshold(0.8)

    pruning.pruning_process()

    (group,) = pruning.plan.groups
    assert (group.kept_count, group.wanted, group.capped) == (4, 24, True)
    # All scores are equal; the filters with the smallest weights go.
    assert group.removed == tuple(range(20))
    text = (tmp_path / 'out' / 'Pruned_Dir' / 'Pruned_Filters.txt').read_text()
    assert f'{BLOCK}: 20/24 (capped: 24 were chosen)' in text


def test_a_capped_group_is_stripped_and_still_answers(original, tmp_path):
    prefix = all_redundant(original, tmp_path / 'redundant')
    pruning = Pruning(
        prefix, [BLOCK], output_dir=str(tmp_path / 'out'), channel_multiple=1
    )
    pruning.set_threshold(0.8)
    pruning.pruning_process()
    pruning.get_retrained_ckpt(os.path.dirname(pruning.pruned_ckpt_path))
    pruning.get_rebuild_graph()
    pruning.get_strip_params()

    pruning.get_strip_ckpt()

    image = np.random.RandomState(0).rand(1, 8, 8, 3)
    answer = trained.run(pruning.export_pb_path, {'input:0': image})
    assert pruning.plan.widths() == {BLOCK: 1}
    assert np.isfinite(answer).all()
