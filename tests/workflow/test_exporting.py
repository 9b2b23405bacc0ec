from __future__ import annotations

import dataclasses
import os
import resource

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.tools import models
from tests.workflow import trained
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import GraphError, OptionError, OutputError, VerificationError
from tf1pruning.export import tflite
from tf1pruning.graph import freeze
from tf1pruning.surgery import verify
from tf1pruning.workflow import exporting, inputs, stripping

ALL = exporting.Options(formats=exporting.FORMATS)
CKPT = exporting.Options(formats=('ckpt',))


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('source'))
    return inputs.load(
        models.saved_model(folder, models.checkpoint(folder)), inputs.Options()
    )


@pytest.fixture(scope='module')
def result(source):
    return stripping.strip_source(source)


def determinant(folder):
    """A source that TensorFlow Lite has no operator for."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [1, 2, 2], 'input')
        tf.multiply(tf.linalg.det(x), tf.get_variable('w', []), name='output')
    prefix = networks.save(graph, os.path.join(str(folder), 'model'))
    return inputs.load(prefix, inputs.Options(outputs=('output',)))


def spoiled(result):
    """A result whose arrays are not those that were compared."""
    changed = {name: array + 1 for name, array in result.stripped.arrays.items()}
    arrays = ArraysInMemory(changed)
    return dataclasses.replace(
        result, stripped=dataclasses.replace(result.stripped, arrays=arrays)
    )


def test_an_older_report_goes_before_the_files_that_it_is_of(
    source, result, tmp_path, monkeypatch
):
    exporting.export(source, result, str(tmp_path), CKPT)
    report = tmp_path / exporting.REPORT
    report.write_text('of the first export', encoding='utf-8')
    seen = []
    replace = os.replace

    def watched(old, new):
        seen.append(report.exists())
        replace(old, new)

    monkeypatch.setattr(os, 'replace', watched)
    exporting.export(source, result, str(tmp_path), CKPT)

    assert set(seen) == {False}


def test_a_report_stays_where_nothing_could_be_written(source, result, tmp_path):
    report = tmp_path / exporting.REPORT
    report.write_text('of the first export', encoding='utf-8')

    with pytest.raises(VerificationError):
        exporting.export(source, spoiled(result), str(tmp_path), CKPT)

    assert report.read_text(encoding='utf-8') == 'of the first export'


@pytest.mark.parametrize('name', ['stripped.ckpt', 'saved_model'])
def test_what_a_full_disk_keeps_back_is_named(source, result, tmp_path, name):
    options = {
        'stripped.ckpt': CKPT,
        'saved_model': exporting.Options(formats=('saved_model',)),
    }[name]
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, usual[1]))
    try:
        with pytest.raises(OutputError) as caught:
            exporting.export(source, result, str(tmp_path), options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    path = str(tmp_path / name)
    assert str(caught.value) == f'{path!r} cannot be written: File too large.'
    assert os.listdir(tmp_path) == []


def test_every_format_is_written_and_measured(source, result, tmp_path):
    found = exporting.export(source, result, str(tmp_path), ALL)

    assert [each.format for each in found.written] == [
        'ckpt',
        'pb',
        'saved_model',
        'tflite',
    ]
    assert all(each.comparison.relative <= 1e-5 for each in found.written)
    assert sorted(os.listdir(str(tmp_path))) == [
        'checkpoint',
        'saved_model',
        'stripped.ckpt.data-00000-of-00001',
        'stripped.ckpt.index',
        'stripped.ckpt.meta',
        'stripped.pb',
        'stripped.tflite',
    ]
    assert found.written[1].size == (tmp_path / 'stripped.pb').stat().st_size


def test_the_signature_of_the_input_is_kept(source, result, tmp_path):
    exporting.export(
        source, result, str(tmp_path), exporting.Options(formats=('saved_model',))
    )

    again = inputs.load(str(tmp_path / 'saved_model'), inputs.Options())
    assert [name for name, _ in again.signature.inputs] == ['image']
    assert [name for name, _ in again.signature.outputs] == ['logits']


def test_a_second_export_replaces_the_first(source, result, tmp_path):
    for _ in range(2):
        exporting.export(source, result, str(tmp_path), ALL)

    # The checkpoint has another number of shards than the one that it replaced.
    found = {name.partition('.data-')[0] for name in os.listdir(str(tmp_path))}
    assert found == {
        'checkpoint',
        'saved_model',
        'stripped.ckpt',
        'stripped.ckpt.index',
        'stripped.ckpt.meta',
        'stripped.pb',
        'stripped.tflite',
    }


def test_an_export_with_other_answers_is_not_written(source, result, tmp_path):
    with pytest.raises(VerificationError, match='Nothing was written'):
        exporting.export(source, spoiled(result), str(tmp_path), exporting.Options())
    assert os.listdir(str(tmp_path)) == []


def test_quantized_answers_may_differ(source, result, tmp_path):
    lite = tflite.Options(samples={'input': np.ones([2, 8, 8, 3], np.float32)})
    options = exporting.Options(('tflite',), lite)

    found = exporting.export(source, result, str(tmp_path), options).written[0]

    assert found.comparison.relative > 1e-5


def test_a_calibrated_file_is_compared_on_the_samples(source, result, tmp_path):
    wide = np.random.RandomState(0).uniform(50, 60, [4, 8, 8, 3]).astype(np.float32)
    options = exporting.Options(('tflite',), tflite.Options(samples={'input': wide}))

    found = exporting.export(source, result, str(tmp_path), options).written[0]

    differences = []
    for sample in wide[:, np.newaxis]:
        feeds = {'input': sample}
        expected = verify.run(result.reference, ['output'], feeds)[0]
        answer = tflite.answers(str(tmp_path), ['output'], feeds)[0]
        differences.append(np.abs(answer - expected).max())
    np.testing.assert_allclose(found.comparison.absolute, max(differences), rtol=1e-4)


def test_what_tensorflow_lite_cannot_take_does_not_keep_the_others_back(tmp_path):
    source = determinant(tmp_path)
    folder = tmp_path / 'out'
    folder.mkdir()
    (folder / 'stripped.tflite').write_text('of another network')

    found = exporting.export(source, stripping.strip_source(source), str(folder), ALL)

    assert [each.problem == '' for each in found.written] == [True, True, True, False]
    assert 'MatrixDeterminant' in found.written[3].problem
    assert not (folder / 'stripped.tflite').exists()
    assert (folder / 'stripped.pb').exists()
    with pytest.raises(OutputError, match=r'MatrixDeterminant.*other formats were'):
        exporting.check(found)


def test_the_source_is_never_replaced(source, result):
    folder = os.path.dirname(source.path)
    taken = dataclasses.replace(source, path=os.path.join(folder, 'stripped.pb'))
    before = trained.contents(folder)

    with pytest.raises(OutputError, match='would replace its own source'):
        exporting.export(taken, result, folder, exporting.Options())
    assert trained.contents(folder) == before


@pytest.mark.parametrize('name', ['stripped.pb', 'report.json', 'stripped.ckpt.meta'])
def test_another_file_is_no_part_of_the_export(name, tmp_path):
    path = str(tmp_path / name)

    with pytest.raises(OutputError, match='is a part of what is exported'):
        exporting.check_new(str(tmp_path), ('ckpt', 'pb'), True, [path])


def test_the_checkpoint_of_another_network_does_not_stay_beside(source, tmp_path):
    path = models.frozen(str(tmp_path), models.checkpoint(str(tmp_path)))
    constant = inputs.load(path, inputs.Options())
    result = stripping.strip_source(constant)
    folder = tmp_path / 'stripped'
    exporting.export(source, stripping.strip_source(source), str(folder), CKPT)
    before = trained.contents(folder)

    with pytest.raises(OutputError, match=r'no variables .* of another network'):
        exporting.export(constant, result, str(folder), exporting.Options())

    with pytest.raises(OutputError, match='no other format is asked for'):
        exporting.export(constant, result, str(folder), CKPT)
    assert trained.contents(folder) == before


@pytest.mark.parametrize(
    ('formats', 'expected'),
    [(('pb', 'tfilte'), "Nearest names: 'tflite'"), ((), 'expected some of')],
)
def test_unknown_formats_are_named(formats, expected):
    with pytest.raises(OptionError, match=expected):
        exporting.Options(formats=formats)


def test_only_tensorflow_lite_is_quantized():
    with pytest.raises(OptionError, match="add 'tflite'"):
        exporting.Options(('pb',), tflite.Options(quantize=True))


def test_the_table_has_one_line_per_export(source, result, tmp_path):
    found = exporting.export(source, result, str(tmp_path), exporting.Options())

    lines = exporting.table(found).splitlines()
    assert lines[0].split() == ['format', 'bytes', 'difference', 'of', 'scale', 'path']
    assert [line.split()[0] for line in lines[2:]] == ['ckpt', 'pb']
    assert exporting.report(found)['exports'][0]['max_difference_relative'] <= 1e-5


def test_batch_norm_is_folded_on_request(source, result, tmp_path):
    options = exporting.Options(fold_batch_norm=True)

    found = exporting.export(source, result, str(tmp_path), options)

    assert len(found.folded) == 4
    assert found.kept == ()
    assert all(each.comparison.relative <= 1e-5 for each in found.written)
    graph = tf.GraphDef.FromString((tmp_path / 'stripped.pb').read_bytes())
    assert not any('BatchNorm' in node.op for node in graph.node)
    assert 'Folded 4 batch norms.' in exporting.table(found)
    assert len(exporting.report(found)['folded_batch_norms']) == 4


def test_what_is_too_large_for_a_frozen_graph_goes_into_the_other_formats(
    source, tmp_path, monkeypatch
):
    monkeypatch.setattr(freeze, 'MAX_PROTO_BYTES', 1000)
    result = stripping.strip_source(source, verified=False)
    whole = exporting.Options(('ckpt', 'saved_model'))

    found = exporting.export(source, result, str(tmp_path / 'out'), whole)

    assert [each.format for each in found.written] == ['ckpt', 'saved_model']
    assert exporting.table(found).count(' - ') == 4
    assert (tmp_path / 'out' / 'saved_model' / 'saved_model.pb').exists()
    with pytest.raises(GraphError, match='without verification') as caught:
        stripping.strip_source(source)
    assert caught.value.flags == ('formats', 'noverify')
    with pytest.raises(GraphError, match='nor exported as pb or tflite'):
        exporting.export(source, result, str(tmp_path / 'pb'), exporting.Options())
    assert not (tmp_path / 'pb').exists()
