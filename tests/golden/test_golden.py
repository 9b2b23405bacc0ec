"""Files of version 0.2.0 that must stay readable: a plan, and a report of stripping.

`python -m tests.golden.test_golden` writes them again, which only a new format of the
files is a reason for.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import tempfile

import pytest

import tf1pruning as tp
from tests import networks

FOLDER = pathlib.Path(__file__).resolve().parent


def make(folder):
    """Writes `plan.json` and `report.json` of a network whose weights are fixed."""
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    model = tp.load(networks.save(graph, f'{folder}/model.ckpt'), outputs=['output'])
    plan = tp.choose(model, threshold=0.6, groups='all', mode='filter')
    tp.save_plan(plan, f'{folder}/plan.json')
    soft = tp.soft_prune(model, plan, f'{folder}/soft/model.ckpt')
    tp.save(tp.strip(soft, plan), folder, formats=['ckpt'])


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp('golden')
    make(str(folder))
    return folder


def test_an_old_plan_is_read_as_the_value_that_is_made_now(made):
    old = tp.load_plan(str(FOLDER / 'plan.json'))

    assert old == tp.load_plan(str(made / 'plan.json'))
    assert old.removed_count > 0


def test_an_old_plan_is_written_as_it_is(tmp_path):
    tp.save_plan(tp.load_plan(str(FOLDER / 'plan.json')), str(tmp_path / 'plan.json'))

    assert (tmp_path / 'plan.json').read_text() == (FOLDER / 'plan.json').read_text()


def missing(old, new, path='report'):
    """What an old value has that a new one lacks, or has in another type."""
    if type(old) is not type(new):
        return [f'{path} is {type(new).__name__}, not {type(old).__name__}']
    if isinstance(old, dict):
        found = [f'{path}.{key} is gone' for key in old if key not in new]
        common = [key for key in old if key in new]
        return sum(
            (missing(old[key], new[key], f'{path}.{key}') for key in common), found
        )
    if isinstance(old, list) and old:
        return missing(old[0], new[0], f'{path}[0]') if new else [f'{path} is empty']
    return []


def test_a_report_still_says_all_that_it_said(made):
    old = json.loads((FOLDER / 'report.json').read_text())

    assert missing(old, json.loads((made / 'report.json').read_text())) == []


@pytest.mark.parametrize(
    'new', [{}, {'a': 1}, {'a': []}, {'a': [{'c': 1}]}, {'a': [{'b': '1'}]}]
)
def test_what_a_report_lacks_is_found(new):
    assert len(missing({'a': [{'b': 1}]}, new)) == 1


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        make('.')
        for name in ('plan.json', 'report.json'):
            shutil.copy(name, str(FOLDER / name))
