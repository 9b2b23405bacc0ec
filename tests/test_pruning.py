"""The contract of `Pruning`: keywords, steps, files, views, results."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing import event_accumulator

from tests import networks
from tests.workflow import trained
from tests.workflow.trained import BLOCK, GATE
from tf1pruning import (
    CheckpointError,
    GraphError,
    OptionError,
    OutputError,
    PlanError,
    Pruning,
    WorkflowError,
    plan_json,
)
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph import freeze
from tf1pruning.workflow import loading

THRESHOLD = 0.6
EXPAND = f'{BLOCK}/expand/conv/kernel'
PROJECT = f'{BLOCK}/project/conv/kernel'

# The hyperparameter table of the given README.
TABLE = {
    'input_ckpt_path': None,
    'scope_names': [''],
    'scope_conv_dict': {},
    'conv_vars_dict': {},
    'bias_vars_dict': {},
    'pruning_filters_dict': {},
    'pruned_ckpt_path': '',
    'retrained_ckpt_path': '',
    'input_tensors_map': {},
    'ckpt_to_strip': '',
    'strip_nodes_dict': {},
    'strip_vars_dict': {},
    'output_dir': None,
    'output_nodes': 'output',
    'export_ckpt_path': '',
    'export_pb_path': '',
}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A trained checkpoint; no test may change its folder."""
    return trained.train(str(tmp_path_factory.mktemp('source') / 'trained'))


@pytest.fixture
def new(checkpoint, tmp_path):
    """Makes a `Pruning` that writes into `tmp_path / 'out'`."""

    def make(**options):
        return Pruning(checkpoint, output_dir=str(tmp_path / 'out'), **options)

    return make


def soft_pruned(pruning, threshold=THRESHOLD):
    pruning.set_threshold(threshold)
    pruning.pruning_process(retrain=False)
    return pruning


def retrained(pruning, folder, steps=1):
    trained.retrain(pruning.pruned_ckpt_path, str(folder), steps)
    pruning.get_retrained_ckpt(str(folder))
    return pruning


def stripped(pruning):
    pruning.get_rebuild_graph()
    pruning.get_strip_params()
    pruning.get_strip_ckpt()
    return pruning


class Finished(NamedTuple):
    pruning: Pruning
    folder: str
    source_before: dict
    source_after: dict


@pytest.fixture(scope='module')
def finished(checkpoint, tmp_path_factory):
    """The whole way once; the tests look at what it left."""
    folder = tmp_path_factory.mktemp('finished')
    source = os.path.dirname(checkpoint)
    before = trained.contents(source)
    pruning = Pruning(checkpoint, [GATE, BLOCK + '/'], output_dir=str(folder / 'out'))
    retrained(soft_pruned(pruning), folder / 'retrained')
    pruning.get_pruning_summary(accuracy=0.75)
    stripped(pruning)
    return Finished(pruning, str(folder / 'out'), before, trained.contents(source))


# -- constructor -------------------------------------------------------------------


@pytest.mark.parametrize('name', TABLE)
def test_every_hyperparameter_is_a_keyword_with_its_default(name):
    default = inspect.signature(Pruning).parameters[name].default

    expected = TABLE[name]
    assert (list(default) if name == 'scope_names' else default) == expected


@pytest.mark.parametrize('name', sorted({*TABLE} - {'input_ckpt_path', 'output_dir'}))
def test_every_hyperparameter_is_readable_under_its_name(checkpoint, name):
    assert getattr(Pruning(checkpoint), name) == TABLE[name]


def test_the_output_dir_is_the_folder_of_the_checkpoint(checkpoint):
    pruning = Pruning(checkpoint)

    assert pruning.input_ckpt_path == checkpoint
    assert pruning.output_dir == os.path.dirname(checkpoint)


def test_failed_rate_is_1_before_the_first_summary(checkpoint):
    assert Pruning(checkpoint).failed_rate == 1.0


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'input_ckpt_path': None}, OptionError, 'input_ckpt_path is None'),
        ({'input_ckpt_path': ''}, OptionError, "input_ckpt_path is ''"),
        ({'input_ckpt_path': 'no'}, CheckpointError, "No checkpoint at 'no'"),
        ({'scope_names': 'SE1'}, OptionError, "scope_names is 'SE1'; expected a list"),
        ({'scope_names': [1]}, OptionError, r'scope_names is \[1\]; expected a list'),
        ({'mode': 'half'}, OptionError, "Mode is 'half'"),
        ({'channel_multiple': 0}, OptionError, 'channel_multiple is 0'),
        ({'output_nodes': ''}, GraphError, "Output nodes ''"),
        ({'scope_conv_dict': {'a': []}}, OptionError, 'scope_conv_dict is computed'),
        ({'strip_vars_dict': {'a': {}}}, OptionError, 'strip_vars_dict is computed'),
    ],
)
def test_a_bad_option_is_named(checkpoint, options, error, message):
    with pytest.raises(error, match=message):
        Pruning(**{'input_ckpt_path': checkpoint, **options})


def test_the_views_are_read_only(new):
    pruning = new()
    pruning.get_pruning_params()

    with pytest.raises(AttributeError):
        pruning.scope_conv_dict = {}
    pruning.scope_conv_dict.clear()
    assert list(pruning.scope_conv_dict) == [BLOCK, GATE]


# -- output folder -----------------------------------------------------------------


def test_set_output_dir_makes_nested_folders(new, tmp_path):
    pruning = new()
    folder = str(tmp_path / 'TH0.8' / 'a' / 'b')

    pruning.set_output_dir(folder)

    assert os.path.isdir(folder)
    assert pruning.output_dir == folder


def test_set_output_dir_without_a_folder_goes_back_to_the_checkpoint(new, checkpoint):
    pruning = new()

    pruning.set_output_dir()

    assert pruning.output_dir == os.path.dirname(checkpoint)


# -- order of the steps ------------------------------------------------------------


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


# -- files of each step ------------------------------------------------------------

PARAMS = (
    'Pruning_Dict/Bias_Vars_Dict.json',
    'Pruning_Dict/Conv_Vars_Dict.json',
    'Pruning_Dict/Scope_Conv_Dict.json',
)
PRUNED = (
    'Pruned_Dir/Pruned_Filters.txt',
    'Pruned_Dir/checkpoint',
    'Pruned_Dir/model.ckpt-100.data-00000-of-00001',
    'Pruned_Dir/model.ckpt-100.index',
    'Pruned_Dir/model.ckpt-100.meta',
)


def test_each_step_of_soft_pruning_writes_its_files(new, tmp_path):
    pruning = new()
    folder = tmp_path / 'out'
    assert not folder.exists()

    pruning.get_pruning_params()
    assert trained.file_names(folder) == PARAMS

    pruning.set_threshold(THRESHOLD)
    pruning.get_pruning_filters()
    plan_file = 'Pruning_Dict/Pruned_Filters.json'
    assert set(trained.file_names(folder)) == {*PARAMS, plan_file}

    found = pruning.get_pruning_ckpt()
    assert found == str(folder / 'Pruned_Dir' / 'model.ckpt-100')
    assert set(trained.file_names(folder)) == {*PARAMS, plan_file, *PRUNED}


def test_all_files_at_the_end(finished):
    found = trained.file_names(finished.folder)

    name = os.path.basename(finished.pruning.retrained_ckpt_path)
    events = [f for f in found if f.startswith('events/')]
    files = ('{}.data-00000-of-00001', '{}.index', '{}.meta')
    assert len(events) == 1
    assert set(found) - set(events) == {
        *PARAMS,
        *PRUNED,
        'Pruning_Dict/Pruned_Filters.json',
        'Pruning_Dict/Strip_Nodes_Dict.json',
        'Pruning_Dict/Strip_Vars_Dict.json',
        'Pruning_Summary.txt',
        'summary.json',
        'Rebuild_CKPT/checkpoint',
        f'Rebuild_CKPT/{name}.pbtxt',
        *(f'Rebuild_CKPT/{file.format(name)}' for file in files),
        'Stripped_Dir/checkpoint',
        'Stripped_Dir/modify.pb',
        'Stripped_Dir/report.json',
        *(f'Stripped_Dir/{file.format(name)}' for file in files),
    }


def test_no_temporary_files_are_left(finished):
    assert not [name for name in trained.contents(finished.folder) if '.tmp-' in name]


def test_the_source_checkpoint_stays_byte_for_byte(finished):
    assert len(finished.source_before) >= 4
    assert finished.source_after == finished.source_before


@pytest.mark.parametrize(
    ('file', 'view'),
    [
        ('Scope_Conv_Dict', 'scope_conv_dict'),
        ('Conv_Vars_Dict', 'conv_vars_dict'),
        ('Bias_Vars_Dict', 'bias_vars_dict'),
        ('Strip_Nodes_Dict', 'strip_nodes_dict'),
        ('Strip_Vars_Dict', 'strip_vars_dict'),
    ],
)
def test_the_files_hold_the_views(finished, file, view):
    with open(os.path.join(finished.folder, 'Pruning_Dict', f'{file}.json')) as found:
        assert json.load(found) == getattr(finished.pruning, view)


def test_the_plan_file_holds_the_plan(finished):
    plan = saved_plan(finished.folder)

    assert plan == finished.pruning.plan
    assert (plan.threshold, plan.mode, plan.channel_multiple) == (THRESHOLD, 'block', 4)
    assert plan.removed > 0


def test_the_views_have_the_documented_form(finished):
    pruning = finished.pruning
    block = BLOCK + '/'
    removed = {group.name: list(group.removed) for group in pruning.plan.groups}

    assert list(pruning.scope_conv_dict) == [GATE, block]
    assert pruning.scope_conv_dict[GATE] == ['SE1/reduce/Conv2D', 'SE1/expand/Conv2D']
    assert pruning.conv_vars_dict['SE1/reduce/Conv2D'] == 'SE1/reduce/kernel:0'
    assert pruning.bias_vars_dict['SE1/reduce/Conv2D'] == ['SE1/reduce/bias:0']
    assert pruning.pruning_filters_dict == {GATE: removed[GATE], block: removed[BLOCK]}
    assert pruning.strip_nodes_dict == {block: pruning.scope_conv_dict[block]}
    assert pruning.strip_vars_dict[EXPAND] == {'3': removed[BLOCK]}
    assert pruning.strip_vars_dict[PROJECT] == {'2': removed[BLOCK]}


def test_the_report_of_the_pruned_filters(finished):
    path = os.path.join(finished.folder, 'Pruned_Dir', 'Pruned_Filters.txt')
    removed = finished.pruning.pruning_filters_dict[BLOCK + '/']

    with open(path) as file:
        lines = file.read().splitlines()

    assert lines[0] == 'threshold 0.6, mode block, channel multiple 4'
    assert f'{BLOCK}: {len(removed)}/24' in lines
    assert f'  filters {removed}' in lines


def test_the_summary_is_a_file_and_an_attribute(finished):
    with open(os.path.join(finished.folder, 'summary.json')) as file:
        found = json.load(file)
    with open(os.path.join(finished.folder, 'Pruning_Summary.txt')) as file:
        first = file.readline()

    rate = finished.pruning.failed_rate
    assert found['failure_rate'] == rate == 0.0
    assert found['planned'] == 7 * finished.pruning.plan.removed
    assert list(found['scopes']) == [GATE, BLOCK]
    assert first == (
        f'failure rate 0.0000: 0 of {found["planned"]} planned places are not zero\n'
    )


def test_the_events_of_the_step(finished):
    events = event_accumulator.EventAccumulator(
        os.path.join(finished.folder, 'events')
    ).Reload()
    pruning = finished.pruning
    step = int(Checkpoint(pruning.retrained_ckpt_path)['global_step'])

    found = {}
    for tag in events.Tags()['scalars']:
        (event,) = events.Scalars(tag)
        assert event.step == step
        found[tag] = event.value
    after = pruning.strip_report.after
    assert found == {
        'threshold': pytest.approx(THRESHOLD),
        'pruned_channels': pruning.plan.removed,
        'kept_channels': pruning.plan.kept,
        'parameters': after.parameters,
        'macs': after.macs,
        'prunable_macs': after.prunable_macs,
        'failure_rate': 0.0,
        'accuracy': 0.75,
    }
    assert set(events.Tags()['histograms']) == {
        f'filter_norm/{group}/{when}'
        for group in (GATE, BLOCK)
        for when in ('before', 'after')
    }
    assert events.Tags()['graph']
    assert list(events.PluginTagToContent('text')) == ['groups']


# -- choosing filters --------------------------------------------------------------


def test_the_empty_scope_means_all_inner_channels(new):
    pruning = new(scope_names=[''])

    pruning.get_pruning_params()

    assert list(pruning.scope_conv_dict) == [BLOCK, GATE]


def test_a_scope_ends_at_a_slash(tmp_path):
    graph = trained.gates('SE1', 'SE10')
    prefix = networks.save(graph, str(tmp_path / 'gates'))
    pruning = Pruning(prefix, ['SE1'], output_dir=str(tmp_path / 'out'))

    pruning.get_pruning_params()

    assert list(pruning.conv_vars_dict) == ['SE1/reduce/Conv2D', 'SE1/expand/Conv2D']


def test_a_higher_threshold_prunes_less(new):
    removed = []
    for threshold in (0.5, 0.7, 0.99):
        pruning = new()
        pruning.get_pruning_params()
        pruning.set_threshold(threshold)
        pruning.get_pruning_filters()
        removed.append(pruning.plan.removed)

    assert removed == sorted(removed, reverse=True)
    assert removed[0] > removed[1] > removed[2] == 0


@pytest.mark.parametrize('multiple', [1, 4, 8])
def test_kept_widths_are_multiples(new, multiple):
    pruning = new(channel_multiple=multiple, scope_names=[BLOCK])
    soft_pruned(pruning)

    width = pruning.plan.widths()[BLOCK]
    assert width % multiple == 0
    assert width < 24


def test_given_filters_are_used_without_a_threshold(new):
    pruning = new(pruning_filters_dict={GATE: [2], BLOCK: [3, 1]})
    assert pruning.pruning_filters_dict == {GATE: [2], BLOCK: [3, 1]}

    pruning.pruning_process()

    assert pruning.pruning_filters_dict == {BLOCK: [1, 3], GATE: [2]}


def test_a_threshold_takes_the_place_of_given_filters(new):
    pruning = soft_pruned(new(pruning_filters_dict={GATE: [2]}))

    assert pruning.plan.threshold == THRESHOLD
    assert pruning.pruning_filters_dict[GATE] != [2]


def saved_plan(folder):
    return plan_json.load(
        os.path.join(str(folder), 'Pruning_Dict', 'Pruned_Filters.json')
    )


def zero_filters(prefix, name=EXPAND):
    return np.flatnonzero((Checkpoint(prefix)[name] == 0).all(axis=(0, 1, 2))).tolist()


def test_filters_from_a_plan_file_replace_the_chosen_ones(new, finished):
    pruning = new()
    pruning.get_pruning_params()
    path = os.path.join(finished.folder, 'Pruning_Dict', 'Pruned_Filters.json')

    prefix = pruning.get_pruning_ckpt(path)

    assert pruning.plan == finished.pruning.plan
    removed = finished.pruning.pruning_filters_dict[BLOCK + '/']
    assert zero_filters(prefix) == list(removed)


def test_filters_from_an_old_pickle_replace_the_chosen_ones(new, tmp_path):
    path = tmp_path / 'Pruned_Filters.pkl'
    path.write_bytes(pickle.dumps({BLOCK + '/': [7, 2], 'SE1': [3]}, protocol=2))
    pruning = new(scope_names=['SE1', BLOCK + '/'])
    pruning.get_pruning_params()

    prefix = pruning.get_pruning_ckpt(str(path))

    assert zero_filters(prefix) == [2, 7]
    assert zero_filters(prefix, 'SE1/reduce/kernel') == [3]
    assert saved_plan(tmp_path / 'out') == pruning.plan


class MakesAFolder:
    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return os.mkdir, (self._path,)


def test_a_pickle_that_runs_code_is_refused(new, tmp_path):
    path = tmp_path / 'filters.pkl'
    path.write_bytes(pickle.dumps(MakesAFolder(str(tmp_path / 'made'))))
    pruning = new()
    pruning.get_pruning_params()
    before = trained.contents(tmp_path)

    with pytest.raises(PlanError, match='not a pickle of plain data'):
        pruning.get_pruning_ckpt(str(path))

    assert trained.contents(tmp_path) == before


# -- soft pruning and retraining ---------------------------------------------------


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

    assert pruning.plan.removed == 0
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


# -- stripping ---------------------------------------------------------------------

FRESH_PROCESS = """
import json, sys
import numpy as np
import tensorflow.compat.v1 as tf

prefix = sys.argv[1]
saver = tf.train.import_meta_graph(prefix + '.meta')
shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
image = np.random.RandomState(0).rand(2, 8, 8, 3)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    saver.restore(session, prefix)
    output = session.run('output:0', {'input:0': image})
trainable = [v.op.name for v in tf.trainable_variables()]
print(json.dumps([shapes, output.tolist(), trainable]))
"""


def soft_pruned_output(prefix, image):
    """What the inference graph of a checkpoint gives, from `Source` and freeze."""
    source = loading.load_source(prefix, ('output',))
    graph_def = freeze.freeze(source.model, source.arrays())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name='')
        return session.run('output:0', {'input:0': image})


@pytest.fixture(scope='module')
def fresh(finished):
    """Shapes, output and trainable variables, from a process that knows TF only."""
    prefix = finished.pruning.export_ckpt_path
    done = subprocess.run(
        [sys.executable, '-c', FRESH_PROCESS, prefix],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3', 'PYTHONWARNINGS': 'ignore'},
    )
    return json.loads(done.stdout.decode().splitlines()[-1])


def test_the_stripped_meta_graph_has_the_variables_of_its_checkpoint(finished, fresh):
    shapes, _, trainable = fresh

    found = Checkpoint(finished.pruning.export_ckpt_path).shapes
    assert {name: tuple(shape) for name, shape in shapes.items()} == found
    width = finished.pruning.plan.widths()[BLOCK]
    assert found[EXPAND] == (1, 1, 8, width)
    assert found[PROJECT] == (1, 1, width, 8)
    assert EXPAND in trainable
    assert f'{BLOCK}/expand/BatchNorm/moving_mean' not in trainable


def assert_close(found, expected):
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_stripped_checkpoint_answers_in_a_fresh_process(finished, fresh):
    image = np.random.RandomState(0).rand(2, 8, 8, 3)

    expected = soft_pruned_output(finished.pruning.retrained_ckpt_path, image)

    assert_close(np.array(fresh[1]), expected)


def test_the_frozen_graph_gives_the_answers_of_the_soft_pruned_one(
    finished, checkpoint
):
    image = np.random.RandomState(1).rand(3, 8, 8, 3)

    found = trained.run(finished.pruning.export_pb_path, {'input:0': image})

    expected = soft_pruned_output(finished.pruning.retrained_ckpt_path, image)
    assert_close(found, expected)
    unpruned = soft_pruned_output(checkpoint, image)
    assert np.abs(found - unpruned).max() > 1e-3 * np.abs(unpruned).max()


def test_the_frozen_graph_has_no_variables_and_keeps_its_names(finished):
    graph_def = tf.GraphDef()
    with open(finished.pruning.export_pb_path, 'rb') as file:
        graph_def.ParseFromString(file.read())

    ops = {node.name: node.op for node in graph_def.node}
    assert 'output' in ops
    assert ops['input'] == 'Placeholder'
    assert not {'VariableV2', 'VarHandleOp', 'Assign', 'IteratorGetNext'} & {
        *ops.values()
    }


def test_the_results_are_where_the_attributes_say(finished):
    pruning = finished.pruning
    target = os.path.join(finished.folder, 'Stripped_Dir')
    name = os.path.basename(pruning.retrained_ckpt_path)

    assert pruning.export_ckpt_path == os.path.join(target, name)
    assert pruning.export_pb_path == os.path.join(target, 'modify.pb')
    assert pruning.ckpt_to_strip == os.path.join(finished.folder, 'Rebuild_CKPT', name)


def test_the_report_tells_the_gain(finished):
    with open(os.path.join(finished.folder, 'Stripped_Dir', 'report.json')) as file:
        report = json.load(file)

    removed = finished.pruning.plan.removed
    # A channel of the block: 8 + 9 + 8 kernel weights, 8 of two batch norms.
    assert (
        report['before']['parameters'] - report['after']['parameters'] == 33 * removed
    )
    assert report['before']['macs'] - report['after']['macs'] == 64 * 25 * removed
    assert report['max_difference_relative'] <= 1e-5
    assert report['kept'] == []


def test_the_largest_difference_is_printed(new, tmp_path, capfd):
    pruning = retrained(soft_pruned(new()), tmp_path / 'retrained')
    capfd.readouterr()

    stripped(pruning)

    out = capfd.readouterr().out
    removed = pruning.plan.removed
    total = removed + pruning.plan.kept
    assert out.startswith(f'Stripped {removed} of {total} channels; largest difference')
    assert pruning.strip_report.comparison.relative <= 1e-5


def test_export_paths_are_honoured(new, tmp_path):
    ckpt = str(tmp_path / 'exports' / 'ckpt' / 'small')
    frozen = str(tmp_path / 'exports' / 'small.pb')
    pruning = new(export_ckpt_path=ckpt, export_pb_path=frozen)

    stripped(retrained(soft_pruned(pruning), tmp_path / 'retrained'))

    assert (pruning.export_ckpt_path, pruning.export_pb_path) == (ckpt, frozen)
    assert Checkpoint(ckpt).shapes[EXPAND][3] < 24
    assert trained.run(frozen, {'input:0': np.zeros([1, 8, 8, 3])}).shape == (1, 5)
    assert trained.file_names(tmp_path / 'out' / 'Stripped_Dir') == ('report.json',)


@pytest.mark.parametrize(
    'source', ['pruned_ckpt_path', 'retrained_ckpt_path', 'ckpt_to_strip']
)
def test_a_stripped_checkpoint_never_replaces_its_source(finished, source):
    path = getattr(finished.pruning, source)
    pruning = Pruning(
        finished.pruning.retrained_ckpt_path,
        pruned_ckpt_path=finished.pruning.pruned_ckpt_path,
        ckpt_to_strip=finished.pruning.ckpt_to_strip,
        output_dir=finished.folder,
        export_ckpt_path=path,
    )
    pruning.get_strip_params()
    before = trained.contents(os.path.dirname(path))

    with pytest.raises(OutputError, match='that the stripped one is made from'):
        pruning.get_strip_ckpt()

    assert trained.contents(os.path.dirname(path)) == before


def test_a_rebuilt_checkpoint_never_replaces_its_source(finished):
    pruning = Pruning(
        finished.pruning.ckpt_to_strip,
        retrained_ckpt_path=finished.pruning.ckpt_to_strip,
        output_dir=finished.folder,
    )
    before = trained.contents(finished.folder)

    with pytest.raises(OutputError, match='would replace its own source'):
        pruning.get_rebuild_graph()

    assert trained.contents(finished.folder) == before


def test_a_frozen_graph_that_cannot_be_written_leaves_no_checkpoint(new, tmp_path):
    (tmp_path / 'file').write_text('')
    pruning = new(export_pb_path=str(tmp_path / 'file' / 'modify.pb'))
    retrained(soft_pruned(pruning), tmp_path / 'retrained')

    with pytest.raises(OutputError, match='file'):
        stripped(pruning)

    assert not (tmp_path / 'out' / 'Stripped_Dir').exists()


def test_filter_mode_strips_too(new, tmp_path):
    pruning = retrained(
        soft_pruned(new(mode='filter')), tmp_path / 'retrained', steps=0
    )

    stripped(pruning)

    assert pruning.strip_report.stripped.plan.removed == pruning.plan.removed
    assert pruning.strip_report.comparison.relative <= 1e-5


def test_filters_that_woke_up_stay_and_are_reported(new, tmp_path):
    pruning = soft_pruned(new(scope_names=[BLOCK], channel_multiple=1))
    removed = list(pruning.pruning_filters_dict[BLOCK])

    def wake(arrays):
        for name in (f'{BLOCK}/expand/BatchNorm', f'{BLOCK}/depthwise/BatchNorm'):
            arrays[f'{name}/beta'][removed[0]] = 1.0
            arrays[f'{name}/gamma'][removed[0]] = 1.0
        arrays[EXPAND][..., removed[0]] = 1.0
        arrays[f'{BLOCK}/depthwise/weights'][:, :, removed[0]] = 1.0
        arrays[PROJECT][:, :, removed[0]] = 1.0

    trained.changed_copy(pruning.pruned_ckpt_path, str(tmp_path / 'woken'), wake)
    pruning.get_retrained_ckpt(str(tmp_path / 'woken'))

    stripped(pruning)

    with open(tmp_path / 'out' / 'Stripped_Dir' / 'report.json') as file:
        (kept,) = json.load(file)['kept']
    assert kept == {
        'group': BLOCK,
        'channels': removed[:1],
        'reason': f"not zero: '{BLOCK}/project/conv/Conv2D' still reads it",
    }
    width = Checkpoint(pruning.export_ckpt_path).shapes[EXPAND][3]
    assert width == 24 - len(removed) + 1


@pytest.mark.parametrize(
    'options',
    [
        {'resource': True, 'optimizer': 'adam'},
        {'activation': 'swish', 'pipeline': False},
        {'activation': 'hard_swish', 'squeeze_excite': False},
    ],
    ids=lambda options: ' '.join(map(str, options.values())),
)
def test_other_networks_go_the_whole_way(tmp_path, options):
    source = trained.train(str(tmp_path / 'source'), **options)
    pruning = Pruning(
        source,
        [BLOCK],
        output_dir=str(tmp_path / 'out'),
        pruning_filters_dict={BLOCK: [0, 2, 4, 8, 16, 23, 7, 5]},
    )
    pruning.pruning_process()
    # Without a pipeline nothing feeds the training; the zeros are as good as retrained.
    steps = 2 if options.get('pipeline', True) else 0

    stripped(retrained(pruning, tmp_path / 'retrained', steps))

    assert pruning.get_pruning_summary() == 0.0
    assert Checkpoint(pruning.export_ckpt_path).shapes[EXPAND] == (1, 1, 8, 16)
    image = np.random.RandomState(3).rand(2, 8, 8, 3)
    found = trained.run(pruning.export_pb_path, {'input:0': image})
    assert_close(found, soft_pruned_output(pruning.retrained_ckpt_path, image))


def test_a_retrained_checkpoint_of_another_model_is_refused(new, tmp_path):
    networks.save(trained.gates('SE1'), str(tmp_path / 'other' / 'gates'))
    pruning = soft_pruned(new())
    pruning.get_retrained_ckpt(str(tmp_path / 'other'))

    with pytest.raises(PlanError, match='variables that the checkpoint lacks'):
        pruning.get_pruning_summary()


# -- the inference graph -----------------------------------------------------------


def inference_meta(folder, **options):
    path = str(folder / 'inference.meta')
    graph = networks.inverted_residual_net(**options)
    tf.train.export_meta_graph(path, graph=graph)
    return path


def test_a_given_inference_graph_is_stripped(new, tmp_path):
    pruning = new(rebuild_meta_graph=inference_meta(tmp_path))

    stripped(retrained(soft_pruned(pruning), tmp_path / 'retrained'))

    found = Checkpoint(pruning.export_ckpt_path).shapes
    assert found[EXPAND] == (1, 1, 8, pruning.plan.widths()[BLOCK])
    # The slots and the step of the training are not in it.
    assert 'global_step' not in found


def test_a_map_of_inputs_replaces_tensors_by_placeholders(new, tmp_path):
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], name='images')
    pruning = new(
        rebuild_meta_graph=inference_meta(tmp_path, pipeline=True),
        input_tensors_map={'IteratorGetNext:0': images},
    )
    assert pruning.input_tensors_map == {'IteratorGetNext:0': images}

    stripped(retrained(soft_pruned(pruning), tmp_path / 'retrained'))

    image = np.random.RandomState(2).rand(2, 8, 8, 3)
    found = trained.run(pruning.export_pb_path, {'images:0': image})
    assert_close(found, soft_pruned_output(pruning.retrained_ckpt_path, image))


def test_a_map_of_inputs_works_on_the_training_graph_too(new, tmp_path):
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [1, 8, 8, 3], name='images')
    pruning = new(input_tensors_map={'IteratorGetNext:0': images})

    stripped(retrained(soft_pruned(pruning), tmp_path / 'retrained'))

    assert trained.run(
        pruning.export_pb_path, {'images:0': np.zeros([1, 8, 8, 3])}
    ).shape == (1, 5)


def test_another_name_for_the_output(tmp_path):
    graph = trained.gates('SE1')
    with graph.as_default():
        scores = tf.nn.relu(graph.get_tensor_by_name('output:0'), name='net/scores')
        tf.square(scores, name='squares')
    prefix = networks.save(graph, str(tmp_path / 'source' / 'model.ckpt-1'))
    pruning = Pruning(
        prefix,
        output_dir=str(tmp_path / 'out'),
        output_nodes='net/scores,squares',
        pruning_filters_dict={'SE1': [1]},
        channel_multiple=1,
    )
    pruning.pruning_process()
    pruning.get_retrained_ckpt(os.path.dirname(pruning.pruned_ckpt_path))

    stripped(pruning)

    image = {'input:0': np.ones([1, 6, 6, 3])}
    scores = trained.run(pruning.export_pb_path, image, 'net/scores')
    squares = trained.run(pruning.export_pb_path, image, 'squares')
    np.testing.assert_array_equal(squares, scores**2)
    assert Checkpoint(pruning.export_ckpt_path).shapes['SE1/reduce/bias'] == (3,)


# -- resuming ----------------------------------------------------------------------


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
