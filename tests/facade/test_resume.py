"""A new object goes on where another one stopped."""

from __future__ import annotations

import os

import pytest

from tests.facade.steps import retrained, soft_pruned, zero_filters
from tf1pruning import (
    Pruning,
    WorkflowError,
)
from tf1pruning.ckpt.checkpoint import Checkpoint


def test_a_new_object_finds_the_plan_in_the_output_dir(finished, tmp_path):
    before = finished.pruning
    pruning = Pruning(before.retrained_ckpt_path, output_dir=finished.folder)
    pruning.get_retrained_ckpt(os.path.dirname(before.retrained_ckpt_path))

    assert pruning.get_pruning_summary() == before.failed_rate
    assert pruning.plan == before.plan


def test_a_new_object_goes_on_from_the_rebuilt_checkpoint(finished, tmp_path):
    before = finished.pruning
    pruning = Pruning(
        before.retrained_ckpt_path,
        output_dir=finished.folder,
        ckpt_to_strip=before.ckpt_to_strip,
        export_ckpt_path=str(tmp_path / 'small'),
        export_pb_path=str(tmp_path / 'small.pb'),
    )

    pruning.get_strip_params()
    pruning.get_strip_ckpt()

    assert pruning.strip_vars_dict == before.strip_vars_dict
    assert (
        Checkpoint(pruning.export_ckpt_path).shapes
        == Checkpoint(before.export_ckpt_path).shapes
    )


def test_a_new_object_prunes_the_retrained_checkpoint_again(new, tmp_path):
    first = retrained(soft_pruned(new()), tmp_path / 'retrained')

    second = Pruning(first.retrained_ckpt_path, output_dir=str(tmp_path / 'out'))
    prefix = second.pruning_process(retrain=True)

    assert second.plan == first.plan
    assert zero_filters(prefix) == list(first.plan.groups[0].removed)


def test_strip_parameters_of_an_older_rebuilt_graph_are_not_used(checkpoint, tmp_path):
    pruning = Pruning(input_ckpt_path=checkpoint, output_dir=str(tmp_path))
    pruning.set_threshold(0.9)
    pruning.pruning_process()
    pruning.get_retrained_ckpt(os.path.dirname(pruning.pruned_ckpt_path))
    pruning.get_rebuild_graph()
    pruning.get_strip_params()
    pruning.get_rebuild_graph()
    with pytest.raises(WorkflowError, match='get_strip_params'):
        pruning.get_strip_ckpt()


def test_the_views_of_a_resumed_object_describe_the_graph_that_was_read(finished):
    before = finished.pruning
    pruning = Pruning(
        before.retrained_ckpt_path,
        before.scope_names,
        output_dir=finished.folder,
        ckpt_to_strip=before.ckpt_to_strip,
    )

    pruning.get_strip_params()

    assert pruning.strip_nodes_dict == before.strip_nodes_dict
    assert pruning.pruning_filters_dict == before.pruning_filters_dict
    assert pruning.scope_conv_dict == {}
    assert pruning.conv_vars_dict == {}
    pruning.get_pruning_params()
    assert pruning.conv_vars_dict == before.conv_vars_dict
    assert pruning.bias_vars_dict == before.bias_vars_dict


def test_another_rebuilt_checkpoint_is_read_when_it_is_set(finished, new, tmp_path):
    pruning = retrained(soft_pruned(new()), tmp_path / 'retrained')
    pruning.get_rebuild_graph()
    pruning.get_strip_params()

    pruning.ckpt_to_strip = finished.pruning.ckpt_to_strip

    with pytest.raises(WorkflowError, match='get_strip_params'):
        pruning.get_strip_ckpt()
