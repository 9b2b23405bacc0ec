"""Stripping, and what it exports."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.facade.steps import (
    EXPAND,
    PROJECT,
    assert_close,
    retrained,
    soft_pruned,
    soft_pruned_output,
    stripped,
)
from tests.studies import trained
from tests.studies.trained import BLOCK
from tf1pruning import (
    OutputError,
    PlanError,
    Pruning,
)
from tf1pruning.ckpt.checkpoint import Checkpoint

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

    removed = finished.pruning.plan.removed_count
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
    removed = pruning.plan.removed_count
    total = removed + pruning.plan.kept_count
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
    others = trained.file_names(tmp_path / 'out' / 'Stripped_Dir')
    assert others == ('report.json', 'training.meta')


def test_a_damaged_training_graph_does_not_keep_the_stripped_network_back(
    new, tmp_path
):
    pruning = retrained(soft_pruned(new()), tmp_path / 'retrained')
    pruning.get_rebuild_graph()
    pruning.get_strip_params()
    with open(pruning.retrained_ckpt_path + '.meta', 'wb') as file:
        file.write(b'no graph')

    pruning.get_strip_ckpt()

    assert pruning.strip_report.comparison.relative <= 1e-5
    written = trained.file_names(tmp_path / 'out' / 'Stripped_Dir')
    assert 'modify.pb' in written
    assert 'training.meta' not in written


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

    with pytest.raises(OutputError, match='would replace its own source'):
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

    assert (
        pruning.strip_report.stripped.plan.removed_count == pruning.plan.removed_count
    )
    assert pruning.strip_report.comparison.relative <= 1e-5


def test_filters_that_woke_up_stay_and_are_reported(new, tmp_path, capsys):
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

    capsys.readouterr()
    stripped(pruning)

    with open(tmp_path / 'out' / 'Stripped_Dir' / 'report.json') as file:
        (kept,) = json.load(file)['kept']
    assert capsys.readouterr().out.startswith(
        f"kept 1 of {BLOCK}: not zero: '{BLOCK}/project/conv/Conv2D' still reads it\n"
    )
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
