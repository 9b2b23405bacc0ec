"""Files of TensorFlow 2, which `scripts/tf2_files.py` wrote, are read and stripped."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

import tf1pruning as tp
from tf1pruning import names
from tf1pruning.export.frozen import FrozenFormat
from tf1pruning.export.saved_model import SavedModelFormat
from tf1pruning.graph import functions
from tf1pruning.graph.meta_graphs import same_signatures, saved_model
from tf1pruning.surgery import verify

FILES = pathlib.Path(__file__).parent.parent / 'tf2_files'
FOLDERS = sorted(FILES.glob('*/*'))
NAMES = ['/'.join(folder.parts[-2:]) for folder in FOLDERS]
# Widths of the groups that may be cut: the inputs and outputs of the inverted residual,
# or what lies between two convolutions.
FREE = {'keras': [8, 16], 'other': [8]}


def loaded(folder):
    frozen = folder / 'frozen.pb'
    return tp.load(str(frozen if frozen.exists() else folder))


@pytest.fixture(params=FOLDERS, ids=NAMES)
def folder(request):
    return request.param


def test_each_kind_was_written():
    kinds = {name.split('/')[1] for name in NAMES}
    assert len(kinds) == 8
    assert len(NAMES) == 15


def test_such_a_file_is_stripped_exactly(folder, tmp_path):
    model = loaded(folder)
    free = sorted(g.width for g in model.groups if not g.frozen)
    assert free == FREE['keras' if 'keras' in folder.name else 'other']

    plan = tp.choose(model, ratio=0.5, groups='all')
    soft = tp.soft_prune(model, plan, str(tmp_path / 'soft' / 'model.ckpt'))
    small = tp.strip(soft, plan)
    tp.save(small, str(tmp_path), formats=['pb', 'saved_model'])

    given = np.load(str(folder / 'answers.npz'))
    (name,) = model.graph.inputs
    feeds = {name: given['x']}
    outputs = model.graph.outputs
    (found,) = verify.run(model.frozen(), outputs, feeds)
    np.testing.assert_allclose(found, given['y'], rtol=0, atol=1e-5)
    (from_pb,) = FrozenFormat().answers(str(tmp_path), outputs, feeds)
    (from_folder,) = SavedModelFormat().answers(str(tmp_path), outputs, feeds)
    np.testing.assert_allclose(from_pb, from_folder, rtol=0, atol=1e-5)
    assert np.abs(from_pb - given['y']).max() > 1e-3


def test_signatures_that_are_the_same_take_one_input():
    model = tp.load(str(FILES / '2.21' / 'keras_export'))

    first, second = model.signatures
    assert (first.name, second.name) == ('serving_default', 'serve')
    assert (first.inputs, first.outputs) == (second.inputs, second.outputs)
    assert len(model.graph.inputs) == 1


@pytest.mark.parametrize('what', ['method', 'shape', 'function', 'placeholder'])
def test_signatures_that_differ_keep_their_tensors(what):
    folder = str(FILES / '2.21' / 'keras_export')
    graph = saved_model.read_saved_model(folder, ['serve'])
    nodes = {node.name: node for node in graph.graph_def.node}
    serve = graph.signature_def['serve']
    (info,) = serve.inputs.values()
    if what == 'method':
        serve.method_name = 'other'
    elif what == 'shape':
        nodes[names.node_name(info.name)].attr['shape'].shape.dim[1].size = 9
    elif what == 'function':
        (output,) = serve.outputs.values()
        called = nodes[names.node_name(output.name)].attr['f'].func.name
        functions.by_name(graph.graph_def)[called].node_def[0].name = 'other'
    else:
        info.name = 'saver_filename:0'
    before = type(graph)()
    before.CopyFrom(graph)

    same_signatures.merge(graph, 'serving_default')

    assert graph == before
