"""How much of each group of the demo's network may go, without training.

  python -m benchmarks.demo_sensitivity --demo_dir demo_output

Scores the baseline of a finished demo on its training images by tools/score.py, runs
tools/sensitivity.py on its test images, and writes a section of docs/results.md and a
plot. A run that was stopped goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, Tuple

import numpy as np
from absl import flags

from benchmarks import results_page, sensitivity_page
from benchmarks.resumable import Pieces
from benchmarks.sensitivity_page import CRITERIA, ON_DATA, PICTURE, RATIOS
from demo.datasets import pipelines
from demo.training.settings import Settings
from tf1pruning import files
from tf1pruning.cli import program
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.errors import DataError, WorkflowError

FLAGS = flags.FLAGS

MODEL = (
    '--output_nodes=output',
    '--groups=all',
    '--loss=sparse_softmax_cross_entropy_loss/value',
    '--inputs=images=IteratorGetNext:0,labels=IteratorGetNext:1',
    '--batch_size=512',
)


def main() -> None:
    """Runs and writes."""
    settings = _settings()
    dataset = Settings.from_json(settings).load_dataset()
    pieces = Pieces(_path('pieces.json'), settings)
    pieces.do('score', _score, settings, dataset, dataset.train)
    pieces.do('sensitivity', _measure, settings, dataset, dataset.test)
    with open(_path('sensitivity.json'), encoding='utf-8') as file:
        curves = json.load(file)
    facts = {
        'seed': settings['seed'],
        'minutes': pieces.seconds / 60,
        'images': dataset.test.count,
    }
    section = sensitivity_page.section(facts, curves)
    results_page.write_section(FLAGS.document, 'sensitivity', section)
    with open(_path('sensitivity.png'), 'rb') as file:
        picture = file.read()
    files.write_bytes(os.path.join(os.path.dirname(FLAGS.document), PICTURE), picture)


def _path(name: str) -> str:
    return os.path.join(FLAGS.output_dir, name)


def _settings() -> Dict[str, Any]:
    path = os.path.join(FLAGS.demo_dir, 'state.json')
    try:
        with open(path, encoding='utf-8') as file:
            return dict(json.load(file)['settings'])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f'{path!r} does not say how the demo ran: {error}. Run the demo first.'
        ) from error


def _score(settings: Dict[str, Any], dataset: Dataset, split: Split) -> Dict[str, Any]:
    _tool(
        'score',
        settings,
        pipelines.arrays(dataset, split),
        f'--criteria={",".join(ON_DATA)}',
        f'--output={_path("scores.npz")}',
        '--overwrite',
    )
    return {'images': split.count}


def _measure(
    settings: Dict[str, Any], dataset: Dataset, split: Split
) -> Dict[str, Any]:
    _tool(
        'sensitivity',
        settings,
        pipelines.arrays(dataset, split),
        f'--criteria={",".join(CRITERIA)}',
        f'--ratios={",".join(map(str, RATIOS))}',
        f'--scores={_path("scores.npz")}',
        f'--mean_replacement={_path("scores.npz")}',
        f'--output_dir={FLAGS.output_dir}',
    )
    return {'images': split.count}


def _tool(
    name: str,
    settings: Dict[str, Any],
    examples: Tuple[np.ndarray, np.ndarray],
    *arguments: str,
) -> None:
    """Runs a tool on the demo's baseline and some of its images, with labels."""
    step = settings['train_steps']
    checkpoint = os.path.join(FLAGS.demo_dir, 'baseline', f'model.ckpt-{step}')
    data = _path(f'{name}_data.npz')
    files.make_folder(FLAGS.output_dir)
    np.savez(data, **dict(zip(('images', 'labels'), examples)))
    found = subprocess.run(
        [
            sys.executable,
            os.path.join('tools', f'{name}.py'),
            f'--model={checkpoint}',
            f'--data={data}',
            *MODEL,
            *arguments,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    if found.returncode:
        raise WorkflowError(f'tools/{name}.py failed: {found.stderr.strip()}')


if __name__ == '__main__':
    flags.DEFINE_string('demo_dir', None, 'Output folder of a finished demo.')
    flags.DEFINE_string('output_dir', 'bench_output/sensitivity', 'For the curves.')
    flags.DEFINE_string('document', 'docs/results.md', 'Where the section goes.')
    flags.mark_flag_as_required('demo_dir')
    program.run(main)
