"""docs/training.md, run from top to bottom."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import sys

from demo.datasets import registry
from tests import programs
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.schedules import schedule
from tf1pruning.training import pruning_hook

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRELUDE = """
import os
import numpy as np
import tensorflow.compat.v1 as tf
from demo.networks import mobilenet_v2

CONFIG = mobilenet_v2.MobileNetV2Config(
    classes=5, stages=(mobilenet_v2.Stage(6, 8, 2, 1),), stem_channels=8)

def build(images, is_training):
    return mobilenet_v2.build(images, CONFIG, is_training)

def input_fn():
    images = np.random.RandomState(0).rand(4, 8, 8, 3).astype(np.float32)
    return tf.data.Dataset.from_tensors((images, np.arange(4) % 5)).repeat()

os.mkdir('data')
grey, labels = np.zeros((4, 8, 8, 3), np.uint8), np.arange(4, dtype=np.int32)
for name in ('data/train.npz', 'data/test.npz'):
    np.savez(name, images=grey, labels=labels)

with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(0)
    build(tf.placeholder(tf.float32, [None, 8, 8, 3]), True)
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(session, 'model.ckpt', 100)
"""


def document():
    with open(os.path.join(ROOT, 'docs', 'training.md'), encoding='utf-8') as file:
        return file.read()


def examples():
    """The code of the document; commands of the shell become calls."""
    for language, code in re.findall(r'```(python|sh)\n(.*?)```', document(), re.S):
        if language == 'sh':
            _, tool, *arguments = shlex.split(code)
            command = [sys.executable, os.path.join(ROOT, tool), *arguments]
            code = f'import subprocess\nsubprocess.run({command!r}, check=True)\n'
        yield code


def test_the_examples_run_from_top_to_bottom(tmp_path):
    script = tmp_path / 'examples.py'
    script.write_text(PRELUDE + ''.join(examples()) + '\nprint(widths)\n')
    done = programs.run(script, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert lines[0] == '0.0'  # The failure rate of a training that is held.
    small, tuned = (
        Checkpoint(str(tmp_path / path))
        for path in ('pruned/Stripped_Dir/model.ckpt-20', 'tuned/model.ckpt-20')
    )
    assert {key: tuned.shapes[key] for key in small} == small.shapes
    layer = re.search(r"'([^']*expand[^']*)': (\d+)", lines[-1])
    (kernel,) = (k for k in small if k.startswith(layer.group(1)) and 'weights' in k)
    assert small.shapes[kernel][3] == int(layer.group(2))
    assert Checkpoint(str(tmp_path / 'going_on/model.ckpt-25'))['global_step'] == 25
    assert (tmp_path / 'second' / 'Pruned_Dir').is_dir()
    last = Checkpoint(str(tmp_path / 'gradual/round_0002/trained/model.ckpt-5'))
    assert last['global_step'] == 5
    assert Checkpoint(str(tmp_path / 'on_mine/model.ckpt-2'))['global_step'] == 2
    learned = Checkpoint(str(tmp_path / 'learned/model.ckpt-5'))
    assert {key: learned.shapes[key] for key in small} == small.shapes


def rows(heading):
    """What the first column of the table below a heading names."""
    section = document().partition(f'\n## {heading}\n')[2].partition('\n## ')[0]
    return re.findall(r'^\| `(\w+)(?:\(|` \|)', section, re.M)


def test_every_policy_is_described():
    assert tuple(rows('While you prune')) == pruning_hook.POLICIES


def test_every_data_set_is_described():
    assert sorted(rows('Data sets')) == registry.known()


def test_every_schedule_is_described():
    makers = [
        name
        for name, found in vars(schedule).items()
        if inspect.isfunction(found)
        and found.__module__ == schedule.__name__
        and not name.startswith('_')
    ]

    assert rows('By a schedule') == makers
