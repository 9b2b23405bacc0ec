"""Each step names the one that it needs."""

from __future__ import annotations

import pytest

from tests.facade.steps import retrained, soft_pruned
from tests.studies import trained
from tf1pruning import (
    CheckpointError,
    WorkflowError,
)


def nothing_done(pruning, folder):
    return pruning


def params_read(pruning, folder):
    pruning.get_pruning_params()
    return pruning


def pruned(pruning, folder):
    return soft_pruned(pruning)


def trained_again(pruning, folder):
    return retrained(soft_pruned(pruning), folder / 'retrained')


def rebuilt(pruning, folder):
    trained_again(pruning, folder).get_rebuild_graph()
    return pruning


def pruned_elsewhere(pruning, folder):
    """Retrained checkpoint of another run, no plan."""
    pruning.retrained_ckpt_path = pruning.input_ckpt_path
    pruning.get_rebuild_graph()
    return pruning


@pytest.mark.parametrize(
    ('before', 'step', 'arguments', 'missing'),
    [
        (nothing_done, 'get_pruning_filters', (), 'get_pruning_params()'),
        (params_read, 'get_pruning_filters', (), 'set_threshold()'),
        (nothing_done, 'get_pruning_ckpt', (), 'get_pruning_params()'),
        (nothing_done, 'get_pruning_ckpt', ('f.json',), 'get_pruning_params()'),
        (params_read, 'get_pruning_ckpt', (), 'get_pruning_filters()'),
        (nothing_done, 'get_pruning_summary', (), 'get_pruning_filters()'),
        (pruned, 'get_pruning_summary', (), 'get_retrained_ckpt(dir)'),
        (nothing_done, 'pruning_process', (True,), 'get_pruning_filters()'),
        (nothing_done, 'pruning_process', (False,), 'set_threshold()'),
        (trained_again, 'get_pruning_filters', (), 'get_pruning_params()'),
        (trained_again, 'get_pruning_ckpt', (), 'get_pruning_params()'),
        (nothing_done, 'get_rebuild_graph', (), 'get_retrained_ckpt(dir)'),
        (pruned, 'get_rebuild_graph', (), 'get_retrained_ckpt(dir)'),
        (nothing_done, 'get_strip_params', (), 'get_rebuild_graph()'),
        (trained_again, 'get_strip_params', (), 'get_rebuild_graph()'),
        (pruned_elsewhere, 'get_strip_params', (), 'get_pruning_filters()'),
        (nothing_done, 'get_strip_ckpt', (), 'get_strip_params()'),
        (rebuilt, 'get_strip_ckpt', (), 'get_strip_params()'),
    ],
    ids=lambda value: getattr(value, '__name__', None),
)
def test_a_step_before_the_one_it_needs_names_that_one(
    new, tmp_path, before, step, arguments, missing
):
    pruning = before(new(), tmp_path)
    files = trained.contents(tmp_path)

    with pytest.raises(WorkflowError) as error:
        getattr(pruning, step)(*arguments)

    assert missing in str(error.value)
    assert trained.contents(tmp_path) == files


def test_no_checkpoint_in_the_folder_of_the_training_is_an_error(new, tmp_path):
    pruning = soft_pruned(new())

    with pytest.raises(CheckpointError, match=r'No checkpoint in .*Train into'):
        pruning.get_retrained_ckpt(str(tmp_path / 'empty'))

    assert pruning.retrained_ckpt_path == ''
