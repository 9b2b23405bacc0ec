from __future__ import annotations

import dataclasses
import json
import os
import resource

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies import trained
from tests.tools import models
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import GraphError, OptionError, OutputError, VerificationError
from tf1pruning.export.tflite import LiteFormat
from tf1pruning.graph import importing
from tf1pruning.graph.frozen import batch_norm_folding, freeze
from tf1pruning.models import reading
from tf1pruning.steps import exporting, stripping
from tf1pruning.steps.exporting import ExportOptions
from tf1pruning.surgery import verify

ALL = ('ckpt', 'pb', 'saved_model', 'tflite')
CKPT = ('ckpt',)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('source'))
    return reading.load(models.saved_model(folder, models.checkpoint(folder)))


@pytest.fixture(scope='module')
def result(source):
    return stripping.strip_model(source)


def determinant(folder):
    """A source that TensorFlow Lite has no operator for."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [1, 2, 2], 'input')
        tf.multiply(tf.linalg.det(x), tf.get_variable('w', []), name='output')
    prefix = networks.save(graph, os.path.join(str(folder), 'model'))
    return reading.load(prefix, ('output',))


def spoiled(result):
    """A result whose arrays are not those that were compared."""
    changed = {name: array + 1 for name, array in result.stripped.arrays.items()}
    arrays = ArraysInMemory(changed)
    return dataclasses.replace(
        result, stripped=dataclasses.replace(result.stripped, arrays=arrays)
    )


def test_an_older_report_goes_before_the_files_that_it_is_of(
    result, tmp_path, monkeypatch
):
    exporting.export(result, str(tmp_path), CKPT)
    report = tmp_path / exporting.REPORT
    report.write_text('of the first export', encoding='utf-8')
    seen = []
    replace = os.replace

    def watched(old, new):
        seen.append(report.exists())
        replace(old, new)

    monkeypatch.setattr(os, 'replace', watched)
    exporting.export(result, str(tmp_path), CKPT)

    assert set(seen) == {False}


def test_a_report_stays_where_nothing_could_be_written(result, tmp_path):
    report = tmp_path / exporting.REPORT
    report.write_text('of the first export', encoding='utf-8')

    with pytest.raises(VerificationError):
        exporting.export(spoiled(result), str(tmp_path), CKPT)

    assert report.read_text(encoding='utf-8') == 'of the first export'


@pytest.mark.parametrize('name', ['stripped.ckpt', 'saved_model'])
def test_what_a_full_disk_keeps_back_is_named(result, tmp_path, name):
    formats = {'stripped.ckpt': CKPT, 'saved_model': ('saved_model',)}[name]
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, usual[1]))
    try:
        with pytest.raises(OutputError) as caught:
            exporting.export(result, str(tmp_path), formats)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    path = str(tmp_path / name)
    assert str(caught.value) == f'{path!r} cannot be written: File too large.'
    assert os.listdir(tmp_path) == []


def test_every_format_is_written_and_measured(result, tmp_path):
    found = exporting.export(result, str(tmp_path), ALL)

    assert [each.format for each in found.written] == [
        'ckpt',
        'pb',
        'saved_model',
        'tflite',
    ]
    assert all(each.comparison.relative <= 1e-5 for each in found.written)
    assert sorted(os.listdir(str(tmp_path))) == [
        'checkpoint',
        'report.json',
        'saved_model',
        'stripped.ckpt.data-00000-of-00001',
        'stripped.ckpt.index',
        'stripped.ckpt.meta',
        'stripped.pb',
        'stripped.tflite',
    ]
    assert found.written[1].size == (tmp_path / 'stripped.pb').stat().st_size


def test_the_signature_of_the_input_is_kept(result, tmp_path):
    exporting.export(result, str(tmp_path), ['saved_model'])

    again = reading.load(str(tmp_path / 'saved_model'))
    assert [name for name, _ in again.signature.inputs] == ['image']
    assert [name for name, _ in again.signature.outputs] == ['logits']


def test_a_second_export_replaces_the_first(result, tmp_path):
    for _ in range(2):
        exporting.export(result, str(tmp_path), ALL)

    # The checkpoint has another number of shards than the one that it replaced.
    found = {name.partition('.data-')[0] for name in os.listdir(str(tmp_path))}
    assert found == {
        'checkpoint',
        'report.json',
        'saved_model',
        'stripped.ckpt',
        'stripped.ckpt.index',
        'stripped.ckpt.meta',
        'stripped.pb',
        'stripped.tflite',
    }


def test_an_export_with_other_answers_is_not_written(result, tmp_path):
    with pytest.raises(VerificationError, match='Nothing was written'):
        exporting.export(spoiled(result), str(tmp_path))
    assert os.listdir(str(tmp_path)) == []


def plain(folder):
    """A source without batch norm: nothing is folded in its pb."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        x = tf.nn.relu(tf.layers.dense(x, 3, name='first'))
        tf.identity(tf.layers.dense(x, 2, name='last'), name='output')
    return reading.load(networks.save(graph, str(folder / 'model')), ('output',))


def test_what_was_run_is_not_imported_again(tmp_path, monkeypatch):
    imported, import_graph = [], importing.import_graph

    def counted(graph_def):
        imported.append(graph_def)
        return import_graph(graph_def)

    monkeypatch.setattr(importing, 'import_graph', counted)
    result = stripping.strip_model(plain(tmp_path))
    exports = exporting.export(result, str(tmp_path / 'out'), ('pb',))

    assert len(imported) == 2  # The network before and after.
    assert exports.written[0].comparison == result.comparison


def test_a_pb_is_run_that_is_not_the_graph_that_ran(tmp_path):
    result = spoiled(stripping.strip_model(plain(tmp_path)))

    with pytest.raises(VerificationError, match='The pb file differs'):
        exporting.export(result, str(tmp_path / 'out'), ('pb',))


def shifted(result, share):
    """A result whose output differs from what was compared by a share of its scale."""
    arrays = dict(result.stripped.arrays)
    scale = max(abs(answers.values[0]).max() for answers in result.answers)
    arrays['Logits/dense/bias'] = arrays['Logits/dense/bias'] + share * scale
    stripped = dataclasses.replace(result.stripped, arrays=ArraysInMemory(arrays))
    return dataclasses.replace(result, stripped=stripped)


@pytest.mark.parametrize(
    ('changed', 'share', 'written'),
    [
        (0.9e-5, 1.5e-5, False),
        (2e-5, 2.5e-5, True),
        (2e-5, 3.5e-5, False),
    ],
)
def test_an_export_adds_the_tolerance_to_what_a_lossy_strip_changed(
    result, tmp_path, changed, share, written
):
    lossy = shifted(result, share)
    lossy = dataclasses.replace(lossy, comparison=verify.Comparison(0.0, changed))

    if written:
        exporting.export(lossy, str(tmp_path), CKPT)
    else:
        with pytest.raises(VerificationError):
            exporting.export(lossy, str(tmp_path), CKPT)

    assert bool(os.listdir(tmp_path)) is written


def test_quantized_answers_may_differ(result, tmp_path):
    options = ExportOptions(samples={'input': np.ones([2, 8, 8, 3], np.float32)})

    found = exporting.export(result, str(tmp_path), ['tflite'], options).written[0]

    assert found.comparison.relative > 1e-5


def test_a_calibrated_file_is_compared_on_the_samples(result, tmp_path):
    wide = np.random.RandomState(0).uniform(50, 60, [4, 8, 8, 3]).astype(np.float32)
    options = ExportOptions(samples={'input': wide})

    found = exporting.export(result, str(tmp_path), ['tflite'], options).written[0]

    differences = []
    for sample in wide[:, np.newaxis]:
        feeds = {'input': sample}
        expected = verify.run(result.reference, ['output'], feeds)[0]
        answer = LiteFormat().answers(str(tmp_path), ['output'], feeds)[0]
        differences.append(np.abs(answer - expected).max())
    np.testing.assert_allclose(found.comparison.absolute, max(differences), rtol=1e-4)


def test_what_tensorflow_lite_cannot_take_does_not_keep_the_others_back(tmp_path):
    source = determinant(tmp_path)
    folder = tmp_path / 'out'
    folder.mkdir()
    (folder / 'stripped.tflite').write_text('of another network')

    found = exporting.export(stripping.strip_model(source), str(folder), ALL)

    with pytest.raises(OutputError, match=r'MatrixDeterminant.*other formats were'):
        found.check()

    with open(str(folder / 'report.json'), encoding='utf-8') as file:
        problems = [each['problem'] for each in json.load(file)['exports']]
    assert problems[:3] == [None] * 3
    assert 'MatrixDeterminant' in problems[3]
    assert not (folder / 'stripped.tflite').exists()
    assert (folder / 'stripped.pb').exists()


def test_the_source_is_never_replaced(source, result):
    folder = os.path.dirname(source.path)
    taken = dataclasses.replace(source, path=os.path.join(folder, 'stripped.pb'))
    result = dataclasses.replace(result, original=taken)
    before = trained.contents(folder)

    with pytest.raises(OutputError, match='would replace its own source'):
        exporting.export(result, folder)
    assert trained.contents(folder) == before


@pytest.mark.parametrize('name', ['stripped.pb', 'report.json', 'stripped.ckpt.meta'])
def test_another_file_is_no_part_of_the_export(name, tmp_path):
    path = str(tmp_path / name)

    with pytest.raises(OutputError, match='is a part of the export to'):
        exporting.check_new(str(tmp_path), ('ckpt', 'pb'), True, [path])


def test_the_checkpoint_of_another_network_does_not_stay_beside(source, tmp_path):
    path = models.frozen(str(tmp_path), models.checkpoint(str(tmp_path)))
    constant = reading.load(path)
    result = stripping.strip_model(constant)
    folder = tmp_path / 'stripped'
    exporting.export(stripping.strip_model(source), str(folder), CKPT)
    before = trained.contents(folder)

    with pytest.raises(OutputError, match=r'no variables .* of another network'):
        exporting.export(result, str(folder))

    with pytest.raises(OutputError, match='no other format is given'):
        exporting.export(result, str(folder), CKPT)
    assert trained.contents(folder) == before


@pytest.mark.parametrize(
    ('formats', 'expected'),
    [(('pb', 'tfilte'), "Nearest names: 'tflite'"), ((), 'expected some of')],
)
def test_unknown_formats_are_named(formats, expected):
    with pytest.raises(OptionError, match=expected):
        ExportOptions().check(formats)


def test_only_tensorflow_lite_is_quantized():
    with pytest.raises(OptionError, match="add 'tflite'"):
        ExportOptions(quantize=True).check(['pb'])


def test_the_table_has_one_line_per_export(result, tmp_path):
    found = exporting.export(result, str(tmp_path))

    lines = str(found).splitlines()
    assert lines[0].split() == ['format', 'bytes', 'difference', 'of', 'scale', 'path']
    assert [line.split()[0] for line in lines[2:4]] == ['ckpt', 'pb']


def test_batch_norm_is_folded(result, tmp_path):
    found = exporting.export(result, str(tmp_path))

    assert len(found.folded) == 4
    assert found.kept == ()
    assert all(each.comparison.relative <= 1e-5 for each in found.written)
    graph = tf.GraphDef.FromString((tmp_path / 'stripped.pb').read_bytes())
    assert not any('BatchNorm' in node.op for node in graph.node)
    assert 'Folded 4 batch norms.' in str(found)
    with open(str(tmp_path / 'report.json'), encoding='utf-8') as file:
        assert len(json.load(file)['folded_batch_norms']) == 4


def test_batch_norm_stays_on_request(result, tmp_path):
    found = exporting.export(
        result, str(tmp_path), ['pb'], ExportOptions(fold_batch_norm=False)
    )

    assert found.folded == ()
    graph = tf.GraphDef.FromString((tmp_path / 'stripped.pb').read_bytes())
    assert sum('BatchNorm' in node.op for node in graph.node) == 4


def test_batch_norm_stays_where_folding_would_change_the_answers(
    result, tmp_path, monkeypatch
):
    fold = batch_norm_folding.fold_batch_norms

    def inexact(graph_def, outputs):
        folded = fold(graph_def, outputs)
        for node in folded.graph_def.node:
            if (
                node.op == 'Const'
                and node.attr['dtype'].type == tf.float32.as_datatype_enum
            ):
                array = tf.make_ndarray(node.attr['value'].tensor)
                node.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(array * 1.001))
        return folded

    monkeypatch.setattr(batch_norm_folding, 'fold_batch_norms', inexact)
    found = exporting.export(result, str(tmp_path), ['pb'])

    assert found.folded == ()
    assert len(found.kept) == 4
    assert 'by more than the limit' in found.kept[0].reason
    assert found.written[0].comparison.relative <= 1e-5
    graph = tf.GraphDef.FromString((tmp_path / 'stripped.pb').read_bytes())
    assert sum('BatchNorm' in node.op for node in graph.node) == 4


def test_what_is_too_large_for_a_frozen_graph_goes_into_the_other_formats(
    source, tmp_path, monkeypatch
):
    monkeypatch.setattr(freeze, 'MAX_PROTO_BYTES', 1000)
    result = stripping.strip_model(source, verify=False)
    whole = ('ckpt', 'saved_model')

    found = exporting.export(result, str(tmp_path / 'out'), whole)

    assert [each.format for each in found.written] == ['ckpt', 'saved_model']
    assert str(found).count(' - ') == 4
    assert (tmp_path / 'out' / 'saved_model' / 'saved_model.pb').exists()
    with pytest.raises(GraphError, match='without verification') as caught:
        stripping.strip_model(source)
    assert caught.value.options == ('formats', 'verify')
    with pytest.raises(GraphError, match='nor exported as pb or tflite'):
        exporting.export(result, str(tmp_path / 'pb'))
    assert not (tmp_path / 'pb').exists()
