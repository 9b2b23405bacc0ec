"""Which filters are chosen."""

from __future__ import annotations

import os
import pickle

import pytest

from tests import networks
from tests.facade.steps import THRESHOLD, saved_plan, soft_pruned, zero_filters
from tests.studies import trained
from tests.studies.trained import BLOCK, GATE
from tf1pruning import (
    PlanError,
    Pruning,
)


def test_the_empty_scope_means_all_inner_channels(new):
    pruning = new(scope_names=[''])

    pruning.get_pruning_params()

    assert list(pruning.scope_conv_dict) == [BLOCK, GATE]


def test_a_scope_ends_at_a_slash(tmp_path):
    graph = trained.gates('SE1', 'SE10')
    prefix = networks.save(graph, str(tmp_path / 'gates'))
    pruning = Pruning(prefix, ['SE1'], output_dir=str(tmp_path / 'out'))

    pruning.get_pruning_params()

    assert list(pruning.conv_vars_dict) == ['SE1/reduce/Conv2D', 'SE1/expand/Conv2D']


def test_a_higher_threshold_prunes_less(new):
    removed = []
    for threshold in (0.5, 0.7, 0.99):
        pruning = new()
        pruning.get_pruning_params()
        pruning.set_threshold(threshold)
        pruning.get_pruning_filters()
        removed.append(pruning.plan.removed_count)

    assert removed == sorted(removed, reverse=True)
    assert removed[0] > removed[1] > removed[2] == 0


@pytest.mark.parametrize('multiple', [1, 4, 8])
def test_kept_widths_are_multiples(new, multiple):
    pruning = new(channel_multiple=multiple, scope_names=[BLOCK])
    soft_pruned(pruning)

    width = pruning.plan.widths()[BLOCK]
    assert width % multiple == 0
    assert width < 24


def test_given_filters_are_used_without_a_threshold(new):
    pruning = new(pruning_filters_dict={GATE: [2], BLOCK: [3, 1]})
    assert pruning.pruning_filters_dict == {GATE: [2], BLOCK: [3, 1]}

    pruning.pruning_process()

    assert pruning.pruning_filters_dict == {BLOCK: [1, 3], GATE: [2]}


def test_a_threshold_takes_the_place_of_given_filters(new):
    pruning = soft_pruned(new(pruning_filters_dict={GATE: [2]}))

    assert pruning.plan.threshold == THRESHOLD
    assert pruning.pruning_filters_dict[GATE] != [2]


def test_filters_from_a_plan_file_replace_the_chosen_ones(new, finished):
    pruning = new()
    pruning.get_pruning_params()
    path = os.path.join(finished.folder, 'Pruning_Dict', 'Pruned_Filters.json')

    prefix = pruning.get_pruning_ckpt(path)

    assert pruning.plan == finished.pruning.plan
    removed = finished.pruning.pruning_filters_dict[BLOCK + '/']
    assert zero_filters(prefix) == list(removed)


def test_filters_from_an_old_pickle_replace_the_chosen_ones(new, tmp_path):
    path = tmp_path / 'Pruned_Filters.pkl'
    path.write_bytes(pickle.dumps({BLOCK + '/': [7, 2], 'SE1': [3]}, protocol=2))
    pruning = new(scope_names=['SE1', BLOCK + '/'])
    pruning.get_pruning_params()

    prefix = pruning.get_pruning_ckpt(str(path))

    assert zero_filters(prefix) == [2, 7]
    assert zero_filters(prefix, 'SE1/reduce/kernel') == [3]
    assert saved_plan(tmp_path / 'out') == pruning.plan


class MakesAFolder:
    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return os.mkdir, (self._path,)


def test_a_pickle_that_runs_code_is_refused(new, tmp_path):
    path = tmp_path / 'filters.pkl'
    path.write_bytes(pickle.dumps(MakesAFolder(str(tmp_path / 'made'))))
    pruning = new()
    pruning.get_pruning_params()
    before = trained.contents(tmp_path)

    with pytest.raises(PlanError, match='not a pickle of plain data'):
        pruning.get_pruning_ckpt(str(path))

    assert trained.contents(tmp_path) == before
