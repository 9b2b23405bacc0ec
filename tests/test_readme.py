import os
import re

import pytest

from tests import networks, programs
from tf1pruning.cli.main import COMMANDS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A training that changes nothing: the checkpoint moves on by some steps.
TRAIN = """
import os, shutil

def train(checkpoint, model_dir):
    for ending in ('.index', '.meta', '.data-00000-of-00001'):
        shutil.copy(checkpoint + ending, os.path.join(model_dir, 'retrained' + ending))
    with open(os.path.join(model_dir, 'checkpoint'), 'w') as file:
        file.write('model_checkpoint_path: "retrained"')

"""


def readme():
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        return file.read()


@pytest.fixture(scope='module')
def ran(tmp_path_factory):
    """Folder in which the examples ran, one after the other, and what they printed."""
    folder = tmp_path_factory.mktemp('readme')
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    for name in ('model.ckpt-10000', 'demo_output/baseline/model.ckpt-800'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        networks.save(graph, str(folder / name))
    examples = re.findall(r'```python\n(.*?)```', readme(), re.S)
    script = folder / 'examples.py'
    script.write_text(TRAIN + ''.join(examples))
    done = programs.run(script, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout.strip().splitlines()


def test_the_example_of_a_training_loop_runs(ran):
    folder, lines = ran

    assert lines[-6:-1] == [f'{th} 0.0' for th in (0.8, 0.7, 0.6, 0.55, 0.5)]
    assert 'largest difference of the outputs' in lines[-1]
    stripped = folder / 'pruned' / 'TH0.5' / 'Stripped_Dir'
    assert {'modify.pb', 'retrained.index', 'retrained.meta'} <= set(
        os.listdir(str(stripped))
    )


def test_the_ten_lines_run(ran):
    folder, lines = ran

    assert any(re.match(r'Stripped (\d+) of \d+ channels; largest', x) for x in lines)
    assert {'stripped.ckpt.meta', 'stripped.pb', 'stripped.tflite'} <= set(
        os.listdir(str(folder / 'small'))
    )


def test_every_command_is_listed():
    listed = re.findall(r'^\| `tf1pruning (\w+)`', readme(), re.M)

    assert listed == list(COMMANDS)


def test_every_make_target_exists():
    with open(os.path.join(ROOT, 'Makefile'), encoding='utf-8') as file:
        targets = set(re.findall(r'^(\w+):', file.read(), re.M))
    named = set(re.findall(r'make (\w+)', readme()))
    assert named >= {'demo', 'test', 'bench'}
    assert named <= targets


@pytest.mark.parametrize(
    'path', sorted(set(re.findall(r'(?:tools|docs)/\w+\.\w+|[A-Z]+\.md', readme())))
)
def test_every_file_it_names_exists(path):
    assert os.path.exists(os.path.join(ROOT, path))
