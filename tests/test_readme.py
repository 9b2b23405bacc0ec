import os
import re
import subprocess
import sys

import pytest

from tests import networks

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


def test_the_example_runs(tmp_path):
    example = re.search(r'```python\n(.*?)```', readme(), re.S).group(1)
    graph = networks.inverted_residual_net(is_training=True, optimizer='momentum')
    networks.save(graph, str(tmp_path / 'model.ckpt-10000'))
    done = subprocess.run(
        [sys.executable, '-c', TRAIN + example],
        cwd=str(tmp_path),
        env={**os.environ, 'PYTHONPATH': ROOT, 'TF_CPP_MIN_LOG_LEVEL': '3'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert lines[:-1] == [f'{th} 0.0' for th in (0.8, 0.7, 0.6, 0.55, 0.5)]
    assert 'largest difference of the outputs' in lines[-1]
    stripped = tmp_path / 'pruned' / 'TH0.5' / 'Stripped_Dir'
    assert {'modify.pb', 'retrained.index', 'retrained.meta'} <= set(
        os.listdir(str(stripped))
    )


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
