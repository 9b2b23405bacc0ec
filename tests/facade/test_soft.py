"""Soft pruning and retraining."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.facade.steps import EXPAND, retrained, saved_plan, soft_pruned, zero_filters
from tests.studies import trained
from tests.studies.trained import BLOCK, GATE
from tf1pruning import (
    OutputError,
)
from tf1pruning.ckpt.checkpoint import Checkpoint


def test_the_pruned_checkpoint_has_the_training_graph_and_all_variables(
    finished, checkpoint
):
    prefix = finished.pruning.pruned_ckpt_path

    with open(prefix + '.meta', 'rb') as a, open(checkpoint + '.meta', 'rb') as b:
        assert a.read() == b.read()
    source, found = Checkpoint(checkpoint), Checkpoint(prefix)
    assert found.shapes == source.shapes
    assert found.dtypes == source.dtypes
    assert found['global_step'] == source['global_step']


def test_pruning_process_again_zeroes_the_same_filters(new, tmp_path):
    pruning = soft_pruned(new())
    plan = pruning.plan
    removed = pruning.pruning_filters_dict[BLOCK]

    def wake(arrays):
        arrays[EXPAND][..., list(removed)] = 1.0
        arrays[EXPAND][..., 0] = 0.5

    prefix = trained.changed_copy(
        pruning.pruned_ckpt_path, str(tmp_path / 'woken'), wake
    )
    pruning.get_retrained_ckpt(str(tmp_path / 'woken'))
    assert pruning.get_pruning_summary() > 0.1
    assert zero_filters(prefix) == []
    pruning.set_output_dir(str(tmp_path / 'again'))

    again = pruning.pruning_process(retrain=True)

    assert pruning.plan == plan
    assert zero_filters(again) == list(removed)
    assert again.startswith(str(tmp_path / 'again'))
    assert saved_plan(tmp_path / 'again') == plan


def test_the_retrained_checkpoint_is_the_next_input(new, tmp_path):
    pruning = retrained(soft_pruned(new()), tmp_path / 'retrained')
    found = pruning.retrained_ckpt_path
    assert os.path.dirname(found) == str(tmp_path / 'retrained')
    assert pruning.input_ckpt_path == found

    pruning.set_output_dir(str(tmp_path / 'next'))
    pruning.set_threshold(0.5)
    prefix = pruning.pruning_process(retrain=False)

    assert os.path.basename(prefix) == os.path.basename(found)
    after, before = Checkpoint(prefix), Checkpoint(found)
    assert after['global_step'] == before['global_step']
    np.testing.assert_array_equal(
        after[f'{BLOCK}/expand/BatchNorm/moving_mean'],
        before[f'{BLOCK}/expand/BatchNorm/moving_mean'],
    )


def test_filters_of_block_mode_stay_zero_in_training(new, tmp_path):
    pruning = retrained(soft_pruned(new()), tmp_path / 'retrained', steps=5)

    assert pruning.get_pruning_summary() == pruning.failed_rate == 0.0


def test_failures_are_counted_after_training(new, tmp_path):
    pruning = soft_pruned(new(scope_names=[GATE], channel_multiple=1), 0.5)
    removed = list(pruning.pruning_filters_dict[GATE])
    assert removed

    def wake(arrays):
        arrays['SE1/reduce/bias'][removed[0]] = 1.0

    trained.changed_copy(pruning.pruned_ckpt_path, str(tmp_path / 'woken'), wake)
    pruning.get_retrained_ckpt(str(tmp_path / 'woken'))

    # Kernel, bias, and the kernel that reads them.
    assert pruning.get_pruning_summary() == pytest.approx(1 / (3 * len(removed)))


def test_nothing_planned_is_no_failure(new, tmp_path):
    pruning = retrained(soft_pruned(new(), 0.99), tmp_path / 'retrained')

    assert pruning.plan.removed_count == 0
    assert pruning.get_pruning_summary() == 0.0


def test_filter_mode_zeroes_kernels_only(new):
    pruning = soft_pruned(new(mode='filter', scope_names=[BLOCK]))

    found = Checkpoint(pruning.pruned_ckpt_path)
    removed = list(pruning.pruning_filters_dict[BLOCK])
    assert zero_filters(pruning.pruned_ckpt_path) == removed
    assert np.count_nonzero(found[f'{BLOCK}/expand/BatchNorm/beta']) == 24


def test_a_soft_pruned_checkpoint_never_replaces_its_source(new, tmp_path):
    pruning = soft_pruned(new())
    pruning.input_ckpt_path = pruning.pruned_ckpt_path
    before = trained.contents(tmp_path / 'out' / 'Pruned_Dir')

    with pytest.raises(OutputError, match='would replace its own source'):
        pruning.pruning_process()

    assert trained.contents(tmp_path / 'out' / 'Pruned_Dir') == before
