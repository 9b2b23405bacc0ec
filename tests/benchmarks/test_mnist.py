from __future__ import annotations

import json

import numpy as np
import pytest
from absl import flags

from benchmarks import mnist, mnist_page
from demo.networks import mlp
from tests.demo.datasets import files

SMALL = {
    'CONFIG': mlp.Config(hidden=(10, 10), biases=True),
    'HELD_BACK': 12,
    'SCORED': 20,
    'ON_DATA': ('fisher',),
    'CRITERIA': ('l2', 'fisher'),
    'SHARES': (0.0, 0.9),
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the experiment on few images, with a small network and two shares."""
    generator = np.random.RandomState(0)
    for prefix, count in (('train', 140), ('t10k', 20)):
        images = generator.randint(0, 256, [count, 4, 4]).astype(np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        files.write_idx(tmp_path / f'{prefix}-images-idx3-ubyte', images)
        files.write_idx(tmp_path / f'{prefix}-labels-idx1-ubyte', labels)
    for name, value in SMALL.items():
        monkeypatch.setattr(mnist, name, value)
    monkeypatch.setattr(mnist_page, 'SHARES', SMALL['SHARES'])
    values = flags.FlagValues()
    for name in ('data_dir', 'output_dir'):
        flags.DEFINE_string(name, str(tmp_path), '', flag_values=values)
    document = str(tmp_path / 'results.md')
    flags.DEFINE_string('document', document, '', flag_values=values)
    for name, number in (('epochs', 1), ('seed', 0)):
        flags.DEFINE_integer(name, number, '', flag_values=values)
    values.mark_as_parsed()
    monkeypatch.setattr(mnist, 'FLAGS', values)
    return mnist.main


def test_a_run_writes_its_section_and_is_not_done_again(run, tmp_path, capsys):
    run()

    pieces = json.loads((tmp_path / 'pieces.json').read_text())['pieces']
    assert list(pieces) == [
        *('train plain', 'sweep plain', 'train sparse', 'sweep sparse'),
        *('score', 'units 0.9'),
    ]
    section = (tmp_path / 'results.md').read_text()
    assert '1 epochs\non 128 images' in section
    sparse, units = pieces['sweep sparse'], pieces['units 0.9']
    row = section.split('\n| 0.9 | 0.9806 |')[1].split('\n')[0]
    assert f'{sparse["weights"][1]:.4f}' in row
    assert f'before fine-tuning, {units["tuned"]:.4f} after an epoch' in section
    assert capsys.readouterr().out.count('seconds') == 6

    run()

    assert capsys.readouterr().out == ''
    assert (tmp_path / 'results.md').read_text() == section
