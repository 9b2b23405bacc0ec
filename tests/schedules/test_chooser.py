"""The channels of a round, in the newest checkpoint."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.schedules import small
from tf1pruning.choosing.choice import Choice
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import OptionError
from tf1pruning.models import reading
from tf1pruning.recovery import comparing
from tf1pruning.schedules import model_fn_graph
from tf1pruning.schedules.chooser import Chooser
from tf1pruning.schedules.estimator_training import EstimatorTraining, Recipe
from tf1pruning.schedules.options import Options
from tf1pruning.scoring.batches import Batches

HALF = Choice(ratio=0.5)


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    """A trained checkpoint."""
    return small.train(tmp_path_factory.mktemp('base'), steps=1)


def training():
    recipe = Recipe(small.model_fn, small.input_fn, config=small.config())
    return EstimatorTraining(recipe)


def chosen(start, **options):
    """Group -> channels that go."""
    given = Options(groups='all', **options)
    chooser = Chooser(training(), start, given)
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


def test_a_repair_brings_the_answers_back_before_the_training(start, tmp_path):
    estimator = tf.estimator.Estimator(small.model_fn, config=small.config())
    built = model_fn_graph.build(estimator, small.input_fn)
    model = reading.from_graph(
        built.meta_graph, ('c/BiasAdd',), Checkpoint(start), start
    )

    def written(name, **options):
        given = Options(groups='all', **options)
        chooser = Chooser(training(), start, given)
        plan = chooser.choose(start, HALF, None)
        chooser.write(str(tmp_path / name), start, plan)
        return Checkpoint(str(tmp_path / name))

    zeroed, repaired = written('zeroed'), written('repaired', repair=True)

    _, far, near = comparing.changes(
        model.graph,
        model.frozen(),
        [model.with_variables(each).frozen() for each in (zeroed, repaired)],
        Batches.of_arrays({built.inputs[0]: small.IMAGES}, 8),
    )
    assert near.change.worst < 0.5 * far.change.worst
    assert repaired.shapes == zeroed.shapes
    for name, array in zeroed.items():
        if name.endswith('kernel') and name.startswith('b'):
            gone = ~array.any(axis=(0, 1, 3))
            assert gone.sum() == 4
            assert not repaired[name][:, :, gone].any()
            assert not np.array_equal(repaired[name], array)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'mode': 'filter'}, "Repair needs mode 'block'"),
        ({'mean_replacement': True}, 'does more than mean replacement: give one'),
    ],
)
def test_options_that_contradict_a_repair_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Options(repair=True, **options)
