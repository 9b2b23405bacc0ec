"""What the public functions refuse before they do anything."""

from __future__ import annotations

import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from tests.tools import models


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('model')))


@pytest.fixture(scope='module')
def model(prefix):
    return tp.load(pathlib.Path(prefix), ['output'])


@pytest.fixture(scope='module')
def stripped(model):
    return tp.strip(model)


@pytest.mark.parametrize(
    ('call', 'name'),
    [
        (lambda m, s: tp.load(m.path, 'output'), 'outputs'),
        (lambda m, s: tp.analyze(m, 'net'), 'scope_names'),
        (lambda m, s: tp.choose(m, ratio=0.5, protect='SE1'), 'protect'),
        (lambda m, s: tp.choose(m, ratio=0.5, scope_names='SE1'), 'scope_names'),
        (lambda m, s: tp.score(m, tp.Batches(list), 'fisher'), 'criteria'),
        (lambda m, s: tp.save(s, 'out', 'pb'), 'formats'),
    ],
)
def test_one_string_is_no_list(model, stripped, call, name):
    with pytest.raises(tp.OptionError, match=f'{name} is .* expected a list'):
        call(model, stripped)


def test_every_path_may_be_a_path_object(model, tmp_path):
    plan = tp.choose(model, ratio=0.5)
    tp.save_plan(plan, tmp_path / 'plan.json')
    read = tp.load_plan(tmp_path / 'plan.json')
    soft = tp.soft_prune(model, read, tmp_path / 'soft' / 'model.ckpt')
    exports = tp.save(tp.strip(soft, read), tmp_path / 'small', ['ckpt'])
    scores = tp.Scores(scores={}, means={}, batches=1, loss=0.5)
    scores.save(tmp_path / 'scores.npz')

    assert read == plan
    assert [each.format for each in exports.written] == ['ckpt']
    assert tp.Scores.load(tmp_path / 'scores.npz').loss == 0.5


def test_a_choice_takes_no_other_amounts(model):
    with pytest.raises(tp.OptionError, match="'count' as well"):
        tp.choose(model, tp.Choice(ratio=0.5), count=2)


def test_samples_that_do_not_fit_are_named_before_anything_is_written(
    stripped, tmp_path
):
    options = tp.ExportOptions(samples={'inptu': np.zeros([2, 8, 8, 3])})

    with pytest.raises(tp.DataError, match="no array for the input 'input'"):
        tp.save(stripped, str(tmp_path), ['ckpt', 'tflite'], options)
    assert os.listdir(tmp_path) == []


def test_a_network_that_was_not_compared_keeps_its_batch_norm(model, tmp_path):
    tp.save(tp.strip(model, verify=False), str(tmp_path), ['pb'])

    graph = tf.GraphDef.FromString((tmp_path / 'stripped.pb').read_bytes())
    assert any('BatchNorm' in node.op for node in graph.node)


def test_a_seed_out_of_range_is_refused(model):
    with pytest.raises(tp.OptionError, match='seed is -1'):
        tp.choose(model, ratio=0.5, criterion='random', seed=-1)


def test_a_training_folder_may_be_moved(prefix, tmp_path):
    folder = tmp_path / 'moved'
    shutil.copytree(os.path.dirname(prefix), str(folder))
    (folder / 'checkpoint').write_text('model_checkpoint_path: "/gone/model.ckpt"\n')

    assert tp.load(str(folder), ['output']).path == str(folder / 'model.ckpt')


def test_a_folder_whose_checkpoint_is_gone_says_what_lies_there(tmp_path):
    (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "/gone/other"\n')

    with pytest.raises(tp.GraphError, match='There is no checkpoint in'):
        tp.load(str(tmp_path))


def test_an_unknown_amount_is_named(model):
    with pytest.raises(tp.OptionError, match=r"no 'raito'\. Nearest names: 'ratio'"):
        tp.choose(model, raito=0.5)
