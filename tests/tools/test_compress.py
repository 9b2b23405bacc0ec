"""tools/compress.py: one command from a model and samples to a small network."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from tests.tools import models
from tf1pruning.graph.frozen import freeze
from tf1pruning.models.reading import load

IMAGES = np.random.RandomState(0).randn(80, 8, 8, 3).astype(np.float32)


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('model')), optimizer='adam')


@pytest.fixture(scope='module')
def without_loss(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('plain')))


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('data') / 'samples.npz')
    np.savez(path, input=IMAGES, classes=np.arange(80) % 5)
    return path


def compressed(model, folder, data, *flags):
    return models.run_tool(
        'compress.py',
        f'--model={model}',
        f'--output_dir={folder}',
        f'--data={data}',
        *flags,
    )


def succeeded(*arguments):
    done = compressed(*arguments)
    assert done.returncode == 0, done.stderr
    return done


def report_of(folder):
    with open(os.path.join(str(folder), 'report.json'), encoding='utf-8') as file:
        return json.load(file)


def test_half_of_every_group_goes_and_the_stages_are_compared(prefix, data, tmp_path):
    done = succeeded(
        prefix,
        tmp_path,
        data,
        '--ratio=0.5',
        '--channel_multiple=1',
        '--labels=classes',
    )

    report = report_of(tmp_path)
    original, pruned, repaired = (
        report[name] for name in ('original', 'pruned', 'repaired')
    )
    assert report['distilled'] is report['target'] is None
    assert report['max_difference_relative'] < 1e-5
    assert original['change'] == 0
    assert original['agreement'] == 1
    assert repaired['change'] < pruned['change'] / 2
    assert repaired['macs'] == pruned['macs'] < original['macs']
    assert repaired['bytes'] < original['bytes']
    assert 0 <= repaired['accuracy'] <= 1
    assert {layer['method'] for layer in report['repair']} > {'least squares'}
    gains = [layer['repaired'] - layer['pruned'] for layer in report['similarity']]
    assert np.median(gains) > 0
    rows = [line.split()[0] for line in done.stdout.splitlines() if ' ms ' in line]
    assert rows == ['original', 'pruned', 'repaired']
    written = {'stripped.pb', 'stripped.ckpt.index', 'samples.png', 'similarity.png'}
    assert written.issubset(os.listdir(str(tmp_path)))


def test_a_budget_uses_the_table_that_a_dry_run_measured(prefix, data, tmp_path):
    flags = ('--target_macs=0.6', '--channel_multiple=2')
    dry = succeeded(prefix, tmp_path, data, *flags, '--dry_run')
    assert 'Expected change of the outputs' in dry.stdout
    assert 'measuring widths' in dry.stderr
    assert sorted(os.listdir(str(tmp_path))) == ['samples.png', 'widths.json']

    table = (tmp_path / 'widths.json').read_text()

    done = succeeded(prefix, tmp_path, data, *flags, '--distill_steps=4')

    report = report_of(tmp_path)
    assert 'measuring widths' not in done.stderr
    assert (tmp_path / 'widths.json').read_text() == table
    assert json.loads(table)['tried']
    share = report['repaired']['macs'] / report['original']['macs']
    assert share <= 0.6
    assert report['target'] == {'quantity': 'macs', 'asked': 0.6, 'reached': share}
    assert f'Of the MACs 60.0% were to stay, and {share:.1%} stay.' in done.stdout
    assert 'distillation, step: 7 of 7, change ' in done.stderr
    assert report['distilled']['change'] <= report['repaired']['change'] * 1.5
    assert not os.path.exists(str(tmp_path / 'distillation.npz'))


def test_too_large_a_change_writes_nothing(prefix, data, tmp_path):
    done = compressed(
        prefix,
        tmp_path,
        data,
        '--ratio=0.8',
        '--max_change=0.01',
        '--channel_multiple=1',
    )
    assert done.returncode == 1
    assert 'at most 0.01 is allowed' in done.stderr
    assert '--max_change' in done.stderr
    assert os.listdir(str(tmp_path)) == ['samples.png']


def test_frozen_graphs_are_compressed(prefix, data, tmp_path):
    model = load(prefix, ('output',))
    path = str(tmp_path / 'network.pb')
    freeze.write_frozen(path, freeze.freeze(model.graph, model.arrays()))

    succeeded(path, tmp_path / 'out', data, '--max_change=0.5', '--channel_multiple=2')

    report = report_of(tmp_path / 'out')
    assert 0 < report['repaired']['change'] <= 0.5
    assert os.path.exists(str(tmp_path / 'out' / 'stripped.pb'))


@pytest.mark.parametrize(
    'flags, message',
    [
        ([], 'Nothing says how small the network shall be'),
        (['--ratio=0.5', '--target_macs=0.5'], 'A ratio and a target are given'),
        (['--target_macs=0.5', '--target_parameters=0.5'], 'Give one target'),
        (['--ratio=0.5', '--max_change=0'], 'The largest change is 0;'),
        (['--max_change=5'], 'The largest change is 5;'),
        (['--ratio=1.5'], 'ratio'),
        (['--ratio=0.5', '--criterion=fisher'], "Criterion 'fisher' needs a loss"),
        (['--ratio=0.5', '--distill_steps=-1'], 'steps of distillation'),
        (['--ratio=0.5', '--formats=png'], "'png'"),
        (['--target_macs=0.0001'], 'at the narrowest widths of the table'),
    ],
)
def test_bad_options_are_one_line(without_loss, tmp_path, data, flags, message):
    done = compressed(without_loss, tmp_path / 'out', data, *flags)
    assert done.returncode == 1
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert not os.path.exists(str(tmp_path / 'out' / 'report.json'))
