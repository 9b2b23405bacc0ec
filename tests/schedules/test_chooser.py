"""The channels of a round, in the newest checkpoint."""

from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests.schedules import small
from tf1pruning.choosing.choice import Choice
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.schedules.chooser import Chooser
from tf1pruning.schedules.options import Options

HALF = Choice(ratio=0.5)


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    """A trained checkpoint."""
    return small.train(tmp_path_factory.mktemp('base'), steps=1)


def chosen(start, **options):
    """Group -> channels that go."""
    estimator = tf.estimator.Estimator(small.model_fn, config=small.config())
    given = Options(groups='all', **options)
    chooser = Chooser(estimator, small.input_fn, start, given)
    return {g.name: g.removed for g in chooser.choose(start, HALF, None).groups}


def test_a_seed_decides_what_is_drawn(start):
    first, same, other = (
        chosen(start, criterion='random', seed=seed) for seed in (1, 1, 2)
    )

    assert same == first != other


def test_what_moved_least_since_the_initial_checkpoint_goes(start, tmp_path):
    arrays = dict(Checkpoint(start))
    arrays['a/kernel'] = arrays['a/kernel'].copy()
    arrays['a/kernel'][..., :4] += 1
    initial = writer.write_checkpoint(str(tmp_path / 'init'), ArraysInMemory(arrays))

    found = chosen(start, criterion='biased_loss_init', initial=initial, batches=1)

    assert found['a'] == (4, 5, 6, 7)
