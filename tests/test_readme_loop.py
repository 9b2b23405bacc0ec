"""The example loop of the original description, run in a process of its own."""

from __future__ import annotations

import functools
import json
import os

import pytest

from tests import programs
from tests.studies import trained
from tf1pruning import plan_json
from tf1pruning.ckpt.checkpoint import Checkpoint

TESTS = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(TESTS, 'facade', 'readme_loop.py')
# The training of the second step wakes its filters: it has to be repeated once.
STEPS = ('TH0.7', 'TH0.5', 'TH0.5_Repruned1')
EXPAND = 'MobilenetV2/expanded_conv_1/expand/conv2d/kernel'
WIDTHS = {'SE1': 8, 'SE2': 8, 'SE3': 8, 'MobilenetV2/expanded_conv_1': 24}


def run_loop(folder, output_node):
    done = programs.run(
        SCRIPT,
        folder,
        output_node,
        environment={'PYTHONWARNINGS': 'ignore'},
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def loop_with(tmp_path_factory):
    """Runs the loop with an output node, once."""

    @functools.lru_cache(maxsize=None)
    def run(output_node):
        folder = tmp_path_factory.mktemp('loop')
        out = run_loop(folder, output_node)
        return folder, folder / 'Pruning_Class_Test', out, output_node

    return run


@pytest.fixture(params=['output', 'tower/logits'], ids=['output', 'no output'])
def loop(request, loop_with):
    """Folder of the run, its output folder, what it printed; with a node `output`.

    And without one: then nobody has named an output node, and planning starts at the
    losses.
    """
    return loop_with(request.param)


def result(loop):
    return json.loads(loop[2].splitlines()[-1])


def plan_of(loop, step):
    folder = loop[1] / step / 'Pruning_Dict'
    return plan_json.load_plan(str(folder / 'Pruned_Filters.json'))


def test_every_threshold_is_retrained_until_it_fails_no_more(loop):
    rates = result(loop)['rates']

    assert list(rates) == ['0.7', '0.5']
    assert rates['0.7'] == [0.0]
    assert rates['0.5'] == [1.0, 0.0]
    assert loop[2].count('Training Process Finished.') == len(STEPS)


@pytest.mark.parametrize('step', STEPS)
def test_every_step_leaves_its_files(loop, step):
    found = trained.file_names(loop[1] / step)

    assert {
        'Pruning_Dict/Scope_Conv_Dict.json',
        'Pruning_Dict/Pruned_Filters.json',
        'Pruned_Dir/Pruned_Filters.txt',
        'Pruned_Dir/model.ckpt-3.index',
        'Pruned_Dir/model.ckpt-3.meta',
        'Pruning_Summary.txt',
        'summary.json',
        'model.ckpt-3.index',
    } <= set(found)
    assert any(name.startswith('events/') for name in found)
    assert not [name for name in found if '.tmp-' in name]


@pytest.mark.parametrize('step', STEPS)
def test_the_summary_names_every_scope(loop, step):
    summary = json.loads((loop[1] / step / 'summary.json').read_text())

    assert list(summary['scopes']) == list(WIDTHS)
    assert summary['failure_rate'] == (1.0 if step == 'TH0.5' else 0.0)


def test_a_lower_threshold_prunes_more(loop):
    high, low = plan_of(loop, 'TH0.7'), plan_of(loop, 'TH0.5')

    assert low.removed_count > high.removed_count
    assert {group.name: group.width for group in low.groups} == WIDTHS
    assert all(group.kept_count % 4 == 0 for group in low.groups)


def test_a_repeated_step_prunes_the_same_filters(loop):
    assert plan_of(loop, 'TH0.5_Repruned1') == plan_of(loop, 'TH0.5')


def test_the_last_checkpoint_holds_the_planned_zeros(loop):
    last = result(loop)['last']
    block = plan_of(loop, STEPS[-1]).groups[-1]

    assert os.path.dirname(last) == str(loop[1] / STEPS[-1])
    assert block.removed
    assert (Checkpoint(last)[EXPAND][..., list(block.removed)] == 0).all()


def test_where_the_graph_has_the_output_the_network_is_stripped(loop):
    target = loop[1] / STEPS[-1] / 'Stripped_Dir'
    if loop[3] != 'output':
        assert not target.exists()
        return

    shapes = Checkpoint(str(target / 'model.ckpt-3')).shapes
    assert shapes[EXPAND][3] == plan_of(loop, STEPS[-1]).groups[-1].kept_count
    assert (target / 'modify.pb').exists()
    assert 'largest difference of the outputs' in loop[2]
