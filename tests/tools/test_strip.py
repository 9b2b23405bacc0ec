import json
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks, programs
from tests.studies import trained
from tests.tools import models
from tf1pruning import Pruning
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.surgery import feeds as feeds_lib
from tf1pruning.surgery import verify


def run_strip(*arguments, **options):
    return programs.run('tools/strip.py', *arguments, **options)


def listing(folder):
    return sorted(
        os.path.join(base, name) for base, _, found in os.walk(folder) for name in found
    )


def load_pb(path):
    graph_def = tf.GraphDef()
    with open(path, 'rb') as file:
        graph_def.ParseFromString(file.read())
    return graph_def


@pytest.fixture(scope='module')
def pruned(tmp_path_factory):
    """A soft-pruned checkpoint of a training graph, with the object that made it."""
    folder = str(tmp_path_factory.mktemp('pruned'))
    graph = networks.inverted_residual_net(
        is_training=True, optimizer='adam', pipeline=True
    )
    checkpoint = networks.save(graph, os.path.join(folder, 'model.ckpt'))
    pruning = Pruning(input_ckpt_path=checkpoint, output_dir=folder)
    pruning.set_threshold(0.55)
    pruning.pruning_process()
    return pruning


@pytest.fixture(scope='module')
def stripped(pruned, tmp_path_factory):
    """Outcome and folder of the plain command."""
    folder = str(tmp_path_factory.mktemp('stripped'))
    done = run_strip('--model', pruned.pruned_ckpt_path, '--output_dir', folder)
    return done, folder


def test_finds_the_zero_filters_by_itself(pruned, stripped):
    done, folder = stripped
    assert done.returncode == 0, done.stderr
    with open(os.path.join(folder, 'report.json'), encoding='utf-8') as file:
        report = json.load(file)
    after = {g['name']: g['after'] for g in report['groups']}
    assert pruned.plan.removed_count > 0
    assert pruned.plan.widths().items() <= after.items()


def test_frozen_graph_gives_the_answers_of_the_soft_pruned_network(pruned, stripped):
    _, folder = stripped
    found = load_pb(os.path.join(folder, 'stripped.pb'))
    assert not any('Variable' in node.op for node in found.node)
    feeds = feeds_lib.random_inputs(found, seed=1)
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(os.path.join(folder, 'stripped.ckpt.meta'))
        saver.restore(session, os.path.join(folder, 'stripped.ckpt'))
        restored = session.run('output:0', {'input:0': feeds['input']})
    np.testing.assert_allclose(
        verify.run(found, ['output'], feeds)[0], restored, rtol=1e-5, atol=1e-6
    )
    with open(os.path.join(folder, 'report.json'), encoding='utf-8') as file:
        assert json.load(file)['max_difference_relative'] <= 1e-5


def test_prints_widths_and_the_largest_difference(stripped):
    done, _ = stripped
    assert 'net/expanded_conv_1' in done.stdout
    assert 'largest difference of the outputs' in done.stdout


def test_a_plan_removes_what_it_names(pruned, tmp_path):
    plan = os.path.join(pruned.output_dir, 'Pruning_Dict', 'Pruned_Filters.json')
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--plan={plan}',
        f'--output_dir={tmp_path}',
    )
    assert done.returncode == 0, done.stderr
    shapes = Checkpoint(str(tmp_path / 'stripped.ckpt')).shapes
    kept = {group.name: group.kept_count for group in pruned.plan.groups}
    name = 'net/expanded_conv_1'
    assert shapes[f'{name}/depthwise/weights'] == (3, 3, kept[name], 1)


def test_the_input_is_not_touched(pruned, tmp_path):
    folder = os.path.dirname(pruned.pruned_ckpt_path)
    before = {path: os.stat(path).st_mtime_ns for path in listing(folder)}
    done = run_strip(f'--model={pruned.pruned_ckpt_path}', f'--output_dir={tmp_path}')
    assert done.returncode == 0, done.stderr
    assert {path: os.stat(path).st_mtime_ns for path in listing(folder)} == before


@pytest.mark.parametrize(
    ('changed', 'expected'),
    [
        ({'model': 'missing.ckpt'}, 'No checkpoint at'),
        ({'output_nodes': 'outptu'}, "Nearest names: 'output'"),
        ({'output_nodes': 'output,,'}, 'expected names'),
        ({'meta_graph': 'missing.meta'}, 'No meta graph at'),
        ({'plan': 'missing.json'}, 'cannot be read'),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(pruned, tmp_path, changed, expected):
    options = {'model': pruned.pruned_ckpt_path, **changed}
    folder = tmp_path / 'out'
    done = run_strip(
        f'--output_dir={folder}', *(f'--{key}={v}' for key, v in options.items())
    )
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not folder.exists()


def test_help_describes_every_flag():
    done = run_strip('--help')
    for flag in ('model', 'output_nodes', 'output_dir', 'meta_graph', 'plan'):
        assert f'--{flag}' in done.stdout


def test_kept_widths_are_multiples_on_request(pruned, tmp_path):
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path}',
        '--channel_multiple=8',
    )

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / 'report.json').read_text(encoding='utf-8'))
    cut = [g['after'] for g in report['groups'] if g['after'] < g['before']]
    assert cut
    assert all(width % 8 == 0 for width in cut)


def woken(pruned, folder):
    """The soft-pruned checkpoint with its planned filters a little alive."""

    def wake(arrays):
        for group in pruned.plan.groups:
            for cut in group.cuts:
                if cut.role != 'statistic':
                    taken = np.moveaxis(arrays[cut.variable], cut.axis, 0)
                    taken[list(cut.indices)] = 1e-4

    return trained.changed_copy(pruned.pruned_ckpt_path, str(folder), wake)


@pytest.mark.parametrize('flag', ['--allow_lossy', '--tolerance=0.05'])
def test_lossy_removal_is_measured_and_printed(pruned, tmp_path, flag):
    prefix = woken(pruned, tmp_path / 'woken')
    plan = os.path.join(pruned.output_dir, 'Pruning_Dict', 'Pruned_Filters.json')
    command = (f'--model={prefix}', f'--plan={plan}')

    careful = run_strip(*command, f'--output_dir={tmp_path / "careful"}')
    lossy = run_strip(*command, f'--output_dir={tmp_path / "lossy"}', flag)

    assert (careful.returncode, lossy.returncode) == (0, 0), lossy.stderr
    assert 'Stripped 0 of' in careful.stdout
    assert 'still reads it' in careful.stdout
    assert f'Stripped {pruned.plan.removed_count} of' in lossy.stdout
    assert 'so the limit of 1e-05 does not apply.' in lossy.stdout
    report = json.loads((tmp_path / 'lossy' / 'report.json').read_text())
    assert report['max_difference_relative'] > 0
    assert (report['limit_relative'], report['limit_applies']) == (1e-5, False)
    gone = sum(len(verdict['channels']) for verdict in report['lossy'])
    assert gone == pruned.plan.removed_count


def test_output_that_is_there_stays_unless_told_otherwise(pruned, tmp_path):
    (tmp_path / 'report.json').write_text('old')
    command = (f'--model={pruned.pruned_ckpt_path}', f'--output_dir={tmp_path}')

    refused = run_strip(*command)
    before = trained.contents(tmp_path)
    done = run_strip(*command, '--overwrite')

    assert refused.returncode == 1
    assert "report.json'. Overwrite it, or" in refused.stderr
    assert refused.stderr.count('\n') == 1
    assert list(before) == ['report.json']
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / 'report.json').read_text())['groups']


def test_a_full_disk_is_one_line_and_leaves_nothing_behind(pruned, tmp_path):
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path / "out"}',
        largest_file=8192,
    )

    assert (done.returncode, done.stdout) == (1, '')
    assert 'File too large' in done.stderr
    assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_all_formats_are_written_and_in_table_and_report(pruned, tmp_path):
    calibration = tmp_path / 'samples.npz'
    np.savez(str(calibration), input=np.ones([4, 8, 8, 3]))
    folder = tmp_path / 'out'

    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={folder}',
        '--formats=ckpt,pb,saved_model,tflite',
        '--int8',
        f'--data={calibration}',
    )

    assert done.returncode == 0, done.stderr
    report = json.loads((folder / 'report.json').read_text(encoding='utf-8'))
    exports = {each['format']: each for each in report['exports']}
    assert list(exports) == ['ckpt', 'pb', 'saved_model', 'tflite']
    for name in ('ckpt', 'pb', 'saved_model'):
        assert exports[name]['max_difference_relative'] <= 1e-5
    # Full integers are only reported.
    assert exports['tflite']['max_difference_relative'] > 1e-5
    assert (folder / 'saved_model' / 'saved_model.pb').exists()
    assert str(folder / 'stripped.tflite') in done.stdout


@pytest.mark.parametrize(
    ('flags', 'expected'),
    [
        (['--formats=onnx'], "expected some of 'ckpt', 'pb'"),
        (['--quantize'], "add 'tflite'"),
        (['--formats=tflite', '--int8', '--data=no.npz'], 'cannot be read'),
        (['--formats=tflite', '--int8'], '--int8 needs --data'),
        (['--data=no.npz'], 'cannot be read'),
        (['--data=nothing'], "no data at 'nothing'"),
        (['--data=nothing', '--image_size=a'], 'expected numbers'),
        (['--data=no.npz', '--noverify'], 'leave it out'),
        (['--inputs=a=b'], '--inputs names arrays of --data'),
    ],
)
def test_a_wrong_format_writes_nothing(pruned, tmp_path, flags, expected):
    folder = tmp_path / 'out'

    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}', f'--output_dir={folder}', *flags
    )

    assert (done.returncode, done.stdout) == (1, '')
    assert expected in done.stderr
    assert not folder.exists()


def test_the_graph_is_cut_at_input_tensors(pruned, tmp_path):
    np.savez(str(tmp_path / 'x.npz'), x=np.ones([5, 8, 8, 8]))

    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path}',
        '--formats=pb',
        '--fold_batch_norm',
        '--input_tensors=net/expanded_conv_1/add=1,8,8,8',
        f'--data={tmp_path / "x.npz"}',
        '--inputs=x=net/expanded_conv_1/add',
    )

    assert done.returncode == 0, done.stderr
    graph_def = load_pb(os.path.join(str(tmp_path), 'stripped.pb'))
    assert [n.name for n in graph_def.node if n.op == 'Placeholder'] == [
        'net/expanded_conv_1/add'
    ]


def test_an_unknown_input_tensor_is_one_line_with_the_nearest_name(pruned, tmp_path):
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path / "out"}',
        '--input_tensors=SE1/scael=1,8,8,8',
    )

    assert (done.returncode, done.stdout) == (1, '')
    assert "Nearest names: 'SE1/scale'" in done.stderr
    assert done.stderr.count('\n') == 1


def test_the_report_holds_widths_reasons_bytes_and_seconds(stripped):
    done, folder = stripped
    with open(os.path.join(folder, 'report.json'), encoding='utf-8') as file:
        report = json.load(file)

    groups = {group['name']: group for group in report['groups']}
    assert 'is a model output' in groups['Logits/dense']['reason']
    block = groups['net/expanded_conv_1']
    assert block['after'] < block['before']
    assert set(report['seconds']) == {
        'load',
        'trace',
        'plan',
        'strip',
        'freeze',
        'verify',
        'write',
    }
    assert report['after']['parameters'] < report['before']['parameters']
    assert all(export['bytes'] > 0 for export in report['exports'])
    assert '#.' in done.stdout


def test_the_kept_channels_are_drawn(pruned, tmp_path):
    picture = tmp_path / 'kept.png'
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path / "out"}',
        f'--plot={picture}',
    )

    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b'\x89PNG')


def test_the_picture_never_replaces_what_is_read(pruned, tmp_path):
    data = f'{pruned.pruned_ckpt_path}.data-00000-of-00001'
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path / "out"}',
        f'--plot={data}',
        '--overwrite',
    )

    assert done.returncode == 1
    assert 'would replace its own source' in done.stderr
    assert os.listdir(tmp_path) == []


def test_the_state_of_the_optimizer_is_kept_on_request(pruned, tmp_path):
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path}',
        '--keep_optimizer',
    )

    assert done.returncode == 0, done.stderr
    found, source = (
        Checkpoint(str(tmp_path / 'stripped.ckpt')),
        Checkpoint(pruned.pruned_ckpt_path),
    )
    assert set(found) == set(source)
    assert found['global_step'] == source['global_step']
    name = 'net/expanded_conv_1/depthwise/weights'
    assert found.shapes[f'{name}/Adam'] == found.shapes[name] != source.shapes[name]
    report = json.loads((tmp_path / 'report.json').read_text(encoding='utf-8'))
    assert report['exports'][0]['max_difference_relative'] <= 1e-5


@pytest.mark.parametrize(
    ('flag', 'expected'),
    [('--formats=pb', "add 'ckpt'")],
)
def test_an_optimizer_that_cannot_be_kept_is_one_line(pruned, tmp_path, flag, expected):
    done = run_strip(
        f'--model={pruned.pruned_ckpt_path}',
        f'--output_dir={tmp_path / "out"}',
        '--keep_optimizer',
        flag,
    )

    assert (done.returncode, done.stdout) == (1, '')
    assert expected in done.stderr
    assert done.stderr.count('\n') == 1


def test_a_network_of_which_nothing_may_go_is_not_written(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        tf.matmul(x, tf.get_variable('w', [4, 4]), name='output')
    prefix = networks.save(graph, str(tmp_path / 'model.ckpt'))

    done = models.run_tool(
        'strip.py', f'--model={prefix}', f'--output_dir={tmp_path / "out"}'
    )

    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr == (
        "Error: In the network nothing may be cut: 'w' is a model output.\n"
    )
    assert not (tmp_path / 'out').exists()
