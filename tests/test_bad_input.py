"""A user's mistakes: one clear error of the right class, and nothing written."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

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
    Tf1PruningError,
)

INDEX, META, DATA = '.index', '.meta', '.data-00000-of-00001'


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    return trained.train(str(tmp_path_factory.mktemp('original') / 'trained'))


@pytest.fixture
def checkpoint(original, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(os.path.dirname(original), str(tmp_path / 'trained'))
    return str(tmp_path / 'trained' / os.path.basename(original))


@pytest.fixture
def refused(tmp_path):
    """Runs a step; it must raise the error and leave every folder as it was."""

    def check(error, message, step, *arguments, **options):
        before = trained.contents(tmp_path)
        with pytest.raises(error, match=message) as caught:
            step(*arguments, **options)
        assert type(caught.value) is error
        assert isinstance(caught.value, Tf1PruningError)
        assert trained.contents(tmp_path) == before

    return check


@pytest.fixture
def new(checkpoint, tmp_path):
    """Makes a `Pruning` that would write into `tmp_path / 'out'`."""

    def make(threshold=0.6, **options):
        pruning = Pruning(checkpoint, output_dir=str(tmp_path / 'out'), **options)
        pruning.set_threshold(threshold)
        return pruning

    return make


def truncate(path, keep):
    """Cuts a file off: after `keep` bytes, or that share of it."""
    size = os.path.getsize(path)
    os.truncate(path, int(keep * size) if isinstance(keep, float) else keep)


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)


# -- checkpoint --------------------------------------------------------------------


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


# -- meta graph --------------------------------------------------------------------


def test_a_missing_meta_graph(refused, new, checkpoint):
    os.remove(checkpoint + META)

    refused(GraphError, r'No meta graph at .*ckpt-100\.meta', new().pruning_process)


@pytest.mark.parametrize('keep', [0, 1, 10, 0.3, 0.5, 0.9])
def test_a_truncated_meta_graph(refused, new, checkpoint, keep):
    truncate(checkpoint + META, keep)

    refused(
        GraphError,
        r'ckpt-100\.meta.*(truncated or damaged|holds no nodes)',
        new().pruning_process,
    )


@pytest.mark.parametrize('data', [b'garbage', b'{"json": 1}', b'\xff' * 1000])
def test_a_meta_graph_that_is_none(refused, new, checkpoint, data):
    write(checkpoint + META, data)

    refused(GraphError, r'ckpt-100\.meta.*not a meta graph', new().pruning_process)


@pytest.mark.parametrize('given', ['missing', 'garbage'])
def test_a_bad_inference_meta_graph(refused, new, tmp_path, given):
    path = str(tmp_path / 'inference.meta')
    if given == 'garbage':
        write(path, b'garbage')
    pruning = new(rebuild_meta_graph=path)

    refused(GraphError, r'inference\.meta', pruning.pruning_process)


# -- names -------------------------------------------------------------------------


@pytest.mark.parametrize('step', ['get_pruning_params', 'pruning_process'])
def test_a_wrong_output_node(refused, new, step):
    pruning = new(output_nodes='outptu')

    refused(
        GraphError,
        r"Output node 'outptu' is not in the graph\. Nearest names: .*'output'",
        getattr(pruning, step),
    )


def test_an_output_that_depends_on_no_input(refused, new):
    pruning = new(output_nodes='net/Conv/conv/kernel/read')

    refused(GraphError, 'depends on no input', pruning.pruning_process)


def test_a_wrong_input_in_the_map(refused, new):
    pruning = new(input_tensors_map={'imagse:0': 'images'})
    pruning.retrained_ckpt_path = pruning.input_ckpt_path

    refused(GraphError, "No node 'imagse' in the graph", pruning.get_rebuild_graph)


@pytest.mark.parametrize(
    ('scopes', 'message'),
    [
        (['SE2'], "Scope 'SE2' matches nothing.*Nearest names: 'SE1'"),
        (['SE'], "Scope 'SE' matches nothing"),
        (['SE1', 'expanded_conv'], "Scope 'expanded_conv' matches nothing"),
        (['Logits'], "Scope 'Logits' holds no inverted-residual.*kind 'dense'"),
        ([], 'No scope names were given'),
    ],
)
@pytest.mark.parametrize('step', ['get_pruning_params', 'pruning_process'])
def test_a_scope_that_matches_nothing(refused, new, scopes, message, step):
    pruning = new(scope_names=scopes)

    refused(GraphError, message, getattr(pruning, step))


# -- options -----------------------------------------------------------------------


@pytest.mark.parametrize('value', [0, 1, -1, 'x', True, float('nan'), None])
def test_a_threshold_outside_0_to_1(refused, new, value):
    pruning = new(0.75)

    refused(OptionError, r'expected a number in \(0, 1\)', pruning.set_threshold, value)

    # The one before is still in force.
    pruning.get_pruning_params()
    pruning.get_pruning_filters()
    assert pruning.plan.threshold == 0.75


# -- output ------------------------------------------------------------------------


@pytest.fixture
def below_a_file(tmp_path):
    """A folder that cannot be made, even by root."""
    (tmp_path / 'file').write_text('not a folder')
    return str(tmp_path / 'file' / 'out')


def test_an_output_dir_that_cannot_be_made(refused, new, below_a_file):
    refused(
        OutputError,
        'file/out.* cannot be made: Not a directory',
        new().set_output_dir,
        below_a_file,
    )


@pytest.mark.parametrize('step', ['get_pruning_params', 'pruning_process'])
def test_an_output_dir_that_cannot_be_written(refused, checkpoint, below_a_file, step):
    pruning = Pruning(checkpoint, output_dir=below_a_file)
    pruning.set_threshold(0.6)

    refused(OutputError, 'file/out', getattr(pruning, step))


@pytest.mark.parametrize(
    ('step', 'folder'),
    [
        ('get_pruning_params', 'Pruning_Dict'),
        ('get_pruning_filters', 'Pruning_Dict'),
        ('get_pruning_ckpt', 'Pruned_Dir'),
        ('get_pruning_summary', 'events'),
        ('get_rebuild_graph', 'Rebuild_CKPT'),
        ('get_strip_params', 'Pruning_Dict'),
        ('get_strip_ckpt', 'Stripped_Dir'),
    ],
)
def test_a_file_in_the_place_of_a_folder(new, tmp_path, step, folder):
    pruning = new()
    out = tmp_path / 'out'
    for needed in (
        'get_pruning_params',
        'get_pruning_filters',
        'get_pruning_ckpt',
        'get_retrained_ckpt',
        'get_pruning_summary',
        'get_rebuild_graph',
        'get_strip_params',
        'get_strip_ckpt',
    ):
        if needed == step:
            break
        at = (os.path.dirname(pruning.pruned_ckpt_path),)
        getattr(pruning, needed)(*at if needed == 'get_retrained_ckpt' else ())
    shutil.rmtree(str(out / folder), ignore_errors=True)
    out.mkdir(exist_ok=True)
    (out / folder).write_text('not a folder')

    with pytest.raises(OutputError, match=folder):
        getattr(pruning, step)()

    assert (out / folder).read_text() == 'not a folder'
    assert not [name for name in trained.contents(tmp_path) if '.tmp-' in name]


# -- plans -------------------------------------------------------------------------


@pytest.fixture
def other_plan(tmp_path):
    """A plan file for a network with more filters."""
    prefix = networks.save(trained.gates('SE1', 'SE2'), str(tmp_path / 'other/gates'))
    pruning = Pruning(
        prefix,
        output_dir=str(tmp_path / 'other'),
        pruning_filters_dict={'SE1': [0], 'SE2': [1]},
    )
    pruning.get_pruning_params()
    pruning.get_pruning_filters()
    return str(tmp_path / 'other' / 'Pruning_Dict' / 'Pruned_Filters.json')


def test_a_plan_file_for_another_model(refused, new, other_plan):
    pruning = new()
    pruning.get_pruning_params()

    refused(PlanError, 'made for another model', pruning.get_pruning_ckpt, other_plan)
    assert pruning.plan is None


@pytest.mark.parametrize('again', [False, True], ids=['ckpt', 'process'])
def test_a_plan_for_another_model_in_the_output_dir(
    refused, new, other_plan, tmp_path, again
):
    target = tmp_path / 'out' / 'Pruning_Dict' / 'Pruned_Filters.json'
    pruning = new()
    pruning.get_pruning_params()
    shutil.copy(other_plan, str(target))

    if again:
        refused(
            PlanError, 'made for another model', pruning.pruning_process, retrain=True
        )
    else:
        refused(PlanError, 'made for another model', pruning.get_pruning_ckpt)


def test_a_plan_for_another_model_is_not_stripped(refused, new, other_plan, tmp_path):
    pruning = new()
    pruning.retrained_ckpt_path = pruning.input_ckpt_path
    pruning.get_rebuild_graph()
    os.makedirs(str(tmp_path / 'out' / 'Pruning_Dict'))
    shutil.copy(other_plan, str(tmp_path / 'out' / 'Pruning_Dict'))

    refused(PlanError, 'made for another model', pruning.get_strip_params)


@pytest.mark.parametrize('text', ['', '{}', 'garbage', '{"format": 1}'])
def test_a_plan_file_that_is_none(refused, new, tmp_path, text):
    path = tmp_path / 'plan.json'
    path.write_text(text)
    pruning = new()
    pruning.get_pruning_params()

    refused(PlanError, r'plan\.json', pruning.get_pruning_ckpt, str(path))


def test_a_missing_plan_file(refused, new):
    pruning = new()
    pruning.get_pruning_params()

    refused(PlanError, r'none\.json', pruning.get_pruning_ckpt, 'none.json')


@pytest.mark.parametrize(
    ('filters', 'message'),
    [
        ({'SE10': [0]}, "'SE10', which is no group. Nearest names: 'SE1'"),
        ({GATE: [4]}, "Filter 4 is given for 'SE1', which has 4"),
        ({GATE: [0, 1, 2, 3]}, "'SE1' would lose all its channels"),
    ],
)
def test_given_filters_that_do_not_exist(
    refused, checkpoint, tmp_path, filters, message
):
    pruning = Pruning(
        checkpoint, output_dir=str(tmp_path / 'out'), pruning_filters_dict=filters
    )

    refused(PlanError, message, pruning.pruning_process)


def all_redundant(original, folder):
    """Every filter of the block has one large weight, all others are small."""

    def change(arrays):
        kernel = arrays[f'{BLOCK}/expand/conv/kernel']
        kernel[:] = np.linspace(1e-3, 2e-3, 24)
        kernel[:, :, 0] = 1.0

    return trained.changed_copy(original, str(folder), change)


def test_a_group_with_all_filters_above_the_threshold_is_capped(original, tmp_path):
    prefix = all_redundant(original, tmp_path / 'redundant')
    pruning = Pruning(prefix, [BLOCK], output_dir=str(tmp_path / 'out'))
    pruning.set_threshold(0.8)

    pruning.pruning_process()

    (group,) = pruning.plan.groups
    assert (group.kept, group.wanted, group.capped) == (4, 24, True)
    # All scores are equal; the filters with the smallest weights go.
    assert group.removed == tuple(range(20))
    text = (tmp_path / 'out' / 'Pruned_Dir' / 'Pruned_Filters.txt').read_text()
    assert f'{BLOCK}: 20/24 (capped: 24 were chosen)' in text


def test_a_capped_group_is_stripped_and_still_answers(original, tmp_path):
    prefix = all_redundant(original, tmp_path / 'redundant')
    pruning = Pruning(
        prefix, [BLOCK], output_dir=str(tmp_path / 'out'), channel_multiple=1
    )
    pruning.set_threshold(0.8)
    pruning.pruning_process()
    pruning.get_retrained_ckpt(os.path.dirname(pruning.pruned_ckpt_path))
    pruning.get_rebuild_graph()
    pruning.get_strip_params()

    pruning.get_strip_ckpt()

    image = np.random.RandomState(0).rand(1, 8, 8, 3)
    answer = trained.run(pruning.export_pb_path, {'input:0': image})
    assert pruning.plan.widths() == {BLOCK: 1}
    assert np.isfinite(answer).all()


def test_an_error_leaves_the_default_graph_alone(new):
    with tf.Graph().as_default() as graph:
        new().pruning_process()
        with pytest.raises(GraphError):
            new(output_nodes='outptu').pruning_process()

    assert list(graph.as_graph_def().node) == []
