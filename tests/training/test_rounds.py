"""Prune, strip, train, and prune what was stripped, again and again."""

from __future__ import annotations

import pytest

from tests import networks
from tests.training import flow
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import PlanError
from tf1pruning.models import reading
from tf1pruning.steps.selection import select_groups

BLOCK = networks.BLOCK


@pytest.fixture(scope='module')
def history(tmp_path_factory):
    """Two rounds with a training in between, and the checkpoint of the beginning."""
    folder = tmp_path_factory.mktemp('rounds')
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    start = networks.save(graph, str(folder / 'model.ckpt'))
    first = flow.one_round(start, folder / 'first')
    tuned = flow.train(folder / 'tuned', folder / 'first', first.export_ckpt_path)
    second = flow.one_round(tuned, folder / 'second', threshold=0.5)
    last = flow.train(folder / 'last', folder / 'second', second.export_ckpt_path)
    return start, first, second, last


def test_each_round_takes_channels_away_and_names_stay(history):
    start, first, second, last = history

    assert list(first.plan.widths()) == list(second.plan.widths()) == [BLOCK, 'SE1']
    widths = [
        Checkpoint(prefix).shapes[f'{BLOCK}/expand/conv/kernel'][3]
        for prefix in (start, first.export_ckpt_path, second.export_ckpt_path, last)
    ]
    assert widths[0] > widths[1] > widths[2] == widths[3]
    assert set(Checkpoint(second.export_ckpt_path)) == set(
        Checkpoint(first.export_ckpt_path)
    )


def test_the_plan_of_one_round_does_not_fit_the_next(history):
    _, first, second, last = history
    source = reading.load(last, ('output',))

    for plan in (first.plan, second.plan):
        with pytest.raises(PlanError, match='a stripped network'):
            select_groups(source).check_plan(plan)
