from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.facade.bad_input.damage import DATA, INDEX, META, truncate, write
from tests.studies import trained
from tests.studies.trained import BLOCK
from tf1pruning import CheckpointError, PlanError, Pruning


def test_a_missing_checkpoint(refused, checkpoint, tmp_path):
    refused(
        CheckpointError,
        r"No checkpoint at .*model\.ckpt-1'.*there: .*model\.ckpt-100",
        Pruning,
        str(tmp_path / 'trained' / 'model.ckpt-1'),
    )
    refused(CheckpointError, r"'/none' does not exist", Pruning, '/none/model.ckpt')
    refused(CheckpointError, 'There is no checkpoint', Pruning, str(tmp_path / 'x'))


@pytest.mark.parametrize('keep', [0, 10, 0.5, 0.99])
def test_a_truncated_index(refused, checkpoint, keep):
    truncate(checkpoint + INDEX, keep)

    refused(CheckpointError, 'cannot be opened.*truncated', Pruning, checkpoint)


def test_an_index_that_is_none(refused, checkpoint):
    write(checkpoint + INDEX, b'not an index' * 100)

    refused(CheckpointError, 'cannot be opened.*damaged', Pruning, checkpoint)


@pytest.mark.parametrize('keep', [0, 10, 0.5])
def test_truncated_data(refused, new, checkpoint, keep):
    truncate(checkpoint + DATA, keep)

    refused(
        CheckpointError, "Variable '.*' cannot be read from.*", new().pruning_process
    )


def test_data_of_an_optimizer_slot_that_is_truncated(refused, tmp_path, original):
    def add_a_slot(arrays):
        # The last in the file: all weights come before it.
        arrays['zz/kernel/Momentum'] = np.ones([1000], np.float32)

    prefix = trained.changed_copy(original, str(tmp_path / 'bad'), add_a_slot)
    truncate(prefix + DATA, os.path.getsize(prefix + DATA) - 100)
    pruning = Pruning(prefix, output_dir=str(tmp_path / 'out'))
    pruning.set_threshold(0.6)

    refused(
        CheckpointError,
        "Variable 'zz/kernel/Momentum' cannot be read.*truncated",
        pruning.pruning_process,
    )


def test_missing_data(refused, new, checkpoint):
    os.remove(checkpoint + DATA)

    refused(
        CheckpointError,
        "Variable '.*' cannot be read from .*truncated or damaged",
        new().pruning_process,
    )


@pytest.mark.parametrize('part', [INDEX, DATA])
def test_a_truncated_retrained_checkpoint(refused, new, checkpoint, tmp_path, part):
    pruning = new()
    pruning.pruning_process()
    retrained = trained.retrain(pruning.pruned_ckpt_path, str(tmp_path / 'retrained'))
    pruning.get_retrained_ckpt(str(tmp_path / 'retrained'))
    truncate(retrained + part, 100)

    refused(CheckpointError, 'truncated', pruning.get_pruning_summary)
    refused(CheckpointError, 'truncated', pruning.get_rebuild_graph)


def test_a_checkpoint_of_another_graph(refused, new, checkpoint, tmp_path):
    other = networks.save(trained.gates('SE1'), str(tmp_path / 'gates'))
    shutil.copy(other + META, checkpoint + META)

    refused(
        CheckpointError,
        "graph has variables that the checkpoint lacks: 'stem/bias', 'stem/kernel'",
        new().pruning_process,
    )


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    'variable', [f'{BLOCK}/expand/conv/kernel', 'Logits/dense/bias']
)
def test_a_weight_that_is_not_finite(refused, tmp_path, original, variable, value):
    def damage(arrays):
        arrays[variable].flat[3] = value

    prefix = trained.changed_copy(original, str(tmp_path / 'bad'), damage)
    pruning = Pruning(prefix, output_dir=str(tmp_path / 'out'))
    pruning.set_threshold(0.6)

    refused(CheckpointError, f"NaN or infinite.* '{variable}'", pruning.pruning_process)


def test_nan_after_retraining_is_not_stripped(refused, new, tmp_path):
    pruning = new()
    pruning.pruning_process()

    def damage(arrays):
        arrays['SE1/reduce/bias'][0] = np.nan

    trained.changed_copy(pruning.pruned_ckpt_path, str(tmp_path / 'diverged'), damage)
    pruning.get_retrained_ckpt(str(tmp_path / 'diverged'))

    refused(CheckpointError, "'SE1/reduce/bias'", pruning.get_rebuild_graph)


HALF = r"expand/conv/kernel' is \(1, 1, 8, 16\) in the checkpoint and \(1, 1, 8, 24\)"


def half_stripped(arrays):
    """The expanding layer is narrower, what reads it is not."""
    kernel = f'{BLOCK}/expand/conv/kernel'
    arrays[kernel] = arrays[kernel][..., :16]


def test_a_half_stripped_checkpoint(refused, original, tmp_path):
    prefix = trained.changed_copy(original, str(tmp_path / 'half'), half_stripped)
    pruning = Pruning(prefix, output_dir=str(tmp_path / 'out'))
    pruning.set_threshold(0.6)

    refused(CheckpointError, HALF, pruning.pruning_process)


def test_a_half_stripped_checkpoint_after_retraining(refused, new, tmp_path):
    pruning = new()
    pruned = pruning.pruning_process()
    retrained = tmp_path / 'retrained'
    prefix = trained.changed_copy(pruned, str(retrained), half_stripped)
    tf.train.update_checkpoint_state(str(retrained), prefix)
    pruning.get_retrained_ckpt(str(retrained))

    cuts = r"of 'net/.*kernel' with shape \(1, 1, 8, 16\)"
    refused(PlanError, cuts, pruning.get_pruning_summary)
    refused(CheckpointError, HALF, pruning.get_rebuild_graph)
