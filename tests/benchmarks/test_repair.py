from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from absl import flags

import tf1pruning as tp
from benchmarks import repair
from benchmarks.repair_cases import CASES, Goals, Way
from benchmarks.training import Recipe
from demo.networks import mlp
from tests.demo.datasets import files

CONFIG = mlp.Config(hidden=(10, 10), biases=True)
SMALL = dataclasses.replace(
    CASES['mnist'],
    network=lambda images, _: mlp.build(
        images, mlp.Config(hidden=(10, 10), biases=True)
    ),
    recipe=Recipe(2, 'adam', 1e-2, biases=False),
    samples=30,
    levels=(0.5,),
    ways=(Way('l2'), Way('reconstruction', distilled=True)),
    goals=Goals((97.0,), (97.5,)),
    lessons=30,
    batch=8,
    distillation=tp.DistillOptions(steps=2, rates=(1e-3,)),
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the benchmark on few images, with a small network and one level."""
    generator = np.random.RandomState(0)
    for prefix, count in (('train', 140), ('t10k', 20)):
        images = generator.randint(0, 256, [count, 4, 4]).astype(np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        files.write_idx(tmp_path / f'{prefix}-images-idx3-ubyte', images)
        files.write_idx(tmp_path / f'{prefix}-labels-idx1-ubyte', labels)
    monkeypatch.setitem(CASES, 'mnist', SMALL)
    values = flags.FlagValues()
    strings = {'network': 'mnist', 'document': str(tmp_path / 'results.md')}
    strings.update(dict.fromkeys(('data_dir', 'output_dir'), str(tmp_path)))
    for name, value in strings.items():
        flags.DEFINE_string(name, value, '', flag_values=values)
    flags.DEFINE_integer('seeds', 1, '', flag_values=values)
    values.mark_as_parsed()
    monkeypatch.setattr(repair, 'FLAGS', values)
    return repair.main


def test_a_run_writes_its_section_and_is_not_done_again(run, tmp_path, capsys):
    run()

    path = tmp_path / 'mnist' / 'seed_0' / 'pieces.json'
    pieces = json.loads(path.read_text())['pieces']
    assert list(pieces) == ['baseline', 'l2 0.5', 'reconstruction 0.5']
    tuned = pieces['reconstruction 0.5']['distilled']
    section = (tmp_path / 'results.md').read_text()
    assert f'| 97.00 | {100 * tuned:.2f} | 97.50 |' in section
    assert capsys.readouterr().out.count('seconds') == 3

    run()

    assert capsys.readouterr().out == ''
    assert (tmp_path / 'results.md').read_text() == section


def test_a_share_of_the_macs_is_a_share_of_each_group(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        mlp.build(tf.placeholder(tf.float32, [None, 4, 4, 1]), CONFIG)
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
    model = tp.load(prefix, ['output'])

    # Of 16 x 10 + 10 x 10 + 10 x 10 products, 6 units leave 192, and 5 leave 155.
    assert repair.share_for(model, 0.5) == 0.5
    with pytest.raises(tp.PlanError, match='99%'):
        repair.share_for(model, 0.99)
