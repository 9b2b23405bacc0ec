"""Soft-pruned checkpoints are repaired on samples before they are retrained."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests.facade.steps import (
    EXPAND,
    THRESHOLD,
    retrained,
    soft_pruned,
    soft_pruned_output,
    stripped,
    zero_filters,
)
from tests.studies import trained
from tests.studies.trained import BLOCK
from tf1pruning.ckpt.checkpoint import Checkpoint

IMAGES = np.random.RandomState(0).rand(96, 8, 8, 3).astype(np.float32)
ARRAYS = {'input': IMAGES}


def input_fn():
    """As for an Estimator: endless, with labels."""
    labels = np.zeros(len(IMAGES), np.int32)
    return tf.data.Dataset.from_tensor_slices((IMAGES, labels)).batch(32).repeat()


def distance(prefix, original):
    """From the answers of one checkpoint to those of another, over their spread."""
    found, wanted = (
        soft_pruned_output(each, IMAGES[-32:]) for each in (prefix, original)
    )
    return np.sqrt(np.mean((found - wanted) ** 2)) / wanted.std(axis=0).mean()


@pytest.fixture(scope='module')
def unrepaired(checkpoint, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('unrepaired'))
    return soft_pruned(tp.Pruning(checkpoint, [BLOCK], output_dir=folder))


def test_the_whole_way_from_repaired_weights(new, checkpoint, unrepaired, tmp_path):
    pruning = soft_pruned(new(scope_names=[BLOCK], repair=input_fn))

    found, plain = pruning.pruned_ckpt_path, unrepaired.pruned_ckpt_path
    assert unrepaired.repair_report is None
    assert pruning.repair_report.helps
    assert distance(found, checkpoint) < 0.5 * distance(plain, checkpoint)
    assert pruning.plan == unrepaired.plan
    removed = list(pruning.pruning_filters_dict[BLOCK])
    assert zero_filters(found) == zero_filters(plain) == removed
    before, after = Checkpoint(plain), Checkpoint(found)
    assert after.shapes == before.shapes
    np.testing.assert_array_equal(after[EXPAND], before[EXPAND])
    assert not np.array_equal(
        after[f'{BLOCK}/project/conv/kernel'], before[f'{BLOCK}/project/conv/kernel']
    )

    retrained(pruning, tmp_path / 'retrained')
    assert pruning.get_pruning_summary() == 0.0
    stripped(pruning)
    assert pruning.strip_report.comparison.relative <= 1e-5
    assert Checkpoint(pruning.export_ckpt_path).shapes[EXPAND][3] == 24 - len(removed)


@pytest.mark.parametrize('kind', ['arrays', 'file', 'samples', 'graph'])
def test_samples_come_from_anywhere(new, checkpoint, tmp_path, kind):
    np.savez(tmp_path / 'samples.npz', **ARRAYS)
    model = tp.load(checkpoint, ['output'])
    given = {
        'arrays': ARRAYS,
        'file': tmp_path / 'samples.npz',
        'samples': tp.samples(model, ARRAYS),
        'graph': 'graph',
    }
    pruning = soft_pruned(new(scope_names=[BLOCK], repair=given[kind]))

    assert pruning.repair_report.plan is pruning.plan
    methods = {layer.layer: layer.method for layer in pruning.repair_report.layers}
    assert methods[f'{BLOCK}/project/conv/Conv2D'] == 'least squares'


def test_a_checkpoint_is_repaired_again_with_the_same_filters(new, tmp_path):
    pruning = soft_pruned(new(scope_names=[BLOCK]))
    removed = list(pruning.pruning_filters_dict[BLOCK])

    def wake(arrays):
        arrays[EXPAND][..., removed] = 1.0

    trained.changed_copy(pruning.pruned_ckpt_path, str(tmp_path / 'woken'), wake)
    pruning.get_retrained_ckpt(str(tmp_path / 'woken'))
    pruning.set_output_dir(str(tmp_path / 'again'))
    pruning.repair = ARRAYS

    again = pruning.pruning_process(retrain=True)

    assert zero_filters(again) == removed
    assert pruning.repair_report is not None


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (
            {'a': IMAGES, 'b': IMAGES},
            "no array for the inputs 'input'; it has 'a', 'b'",
        ),
        ({'input': IMAGES[..., :2]}, r"input 'input': .* \(96, 8, 8, 2\); expected"),
        ({'input': IMAGES[:2]}, 'has 2 examples; expected at least 3'),
        ('no.npz', 'no.npz'),
        (lambda: 3, 'The input_fn gives int; expected a tf.data.Dataset, or tensors'),
    ],
)
def test_samples_that_do_not_fit_leave_the_folder_alone(new, tmp_path, data, message):
    pruning = new(scope_names=[BLOCK], repair=data)
    pruning.set_threshold(THRESHOLD)

    with pytest.raises(tp.DataError, match=message):
        pruning.pruning_process()

    assert trained.file_names(tmp_path / 'out') == ()


def test_filters_from_a_file_stay_out_where_the_repair_fails(new, unrepaired, tmp_path):
    pruning = new(scope_names=[BLOCK], repair={'input': IMAGES[:2]})
    pruning.get_pruning_params()
    before = trained.file_names(tmp_path / 'out')
    plan = os.path.join(unrepaired.output_dir, 'Pruning_Dict', 'Pruned_Filters.json')

    with pytest.raises(tp.DataError, match='has 2 examples'):
        pruning.get_pruning_ckpt(plan)

    assert trained.file_names(tmp_path / 'out') == before


def test_an_option_that_does_not_go_with_repair_is_named(new):
    with pytest.raises(tp.OptionError, match="Repair needs mode 'block'"):
        new(repair=ARRAYS, mode='filter')
    with pytest.raises(tp.OptionError, match='repair is 3; expected'):
        new(repair=3)
    pruning = new(repair=ARRAYS)
    with pytest.raises(tp.OptionError, match="Repair needs mode 'block'"):
        pruning.mode = 'filter'
    with pytest.raises(tp.OptionError, match='repair_options is None; expected'):
        pruning.repair_options = None
