"""Memory and time for a checkpoint of 2 GB: `python -m benchmarks.large`.

A chain of dense layers, written to the folder for temporary files and deleted. Each
program is a process of its own, whose largest resident memory the system counts. The
goals: at most that of a process that has imported TensorFlow and nothing else, plus
twice the largest variable, plus 200 MB; and at most three times the seconds of `cp` of
the same files, plus those of a small checkpoint.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, Iterator, List, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags

from tf1pruning import files
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.cli import program
from tf1pruning.report import text

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = 'python -m benchmarks.large'
LAYERS = 32
WIDTH = 4096
SMALL_WIDTH = 16
EXTRA_BYTES = 200e6

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Process:
    """What a process took."""

    seconds: float
    peak_bytes: int


class Weights(Arrays):
    """Random weights, made when they are asked for; every eighth filter is zero."""

    def __init__(self, variables: Sequence[tf.Variable]):
        self.shapes = {v.op.name: tuple(v.shape.as_list()) for v in variables}
        self.dtypes = dict.fromkeys(self.shapes, tf.float32)

    def __getitem__(self, name: str) -> np.ndarray:
        shape = self.shapes[name]
        values = np.random.RandomState(0).random_sample(shape).astype(np.float32)
        values[..., ::8] = 0
        return values / shape[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


def write_network(prefix: str, width: int) -> None:
    """Writes the checkpoint of `LAYERS` dense layers, with its meta graph."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, width], 'input')
        for number in range(LAYERS):
            x = tf.nn.relu(tf.layers.dense(x, width, name=f'layer{number}'))
        tf.identity(x, name='output')
        weights = Weights(tf.global_variables())
        meta = tf.train.export_meta_graph(graph=graph)
    writer.write_checkpoint(prefix, weights, meta.SerializeToString())


def measured(arguments: Sequence[str]) -> Process:
    """Runs a process to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise RuntimeError(f'{arguments} ended with status {status}')
    # Linux counts in KiB.
    return Process(time.perf_counter() - started, 1024 * usage.ru_maxrss)


def commands(prefix: str, folder: str) -> Dict[str, List[str]]:
    """What is measured, for one checkpoint."""
    prune = ['tools/prune.py', '--criterion=l1', '--ratio=0.25', '--groups=all']
    strip = ['tools/strip.py', '--formats=ckpt', '--noverify']
    model = [f'--model={prefix}', '--output_nodes=output', '--overwrite']
    return {
        name: [sys.executable, *tool, *model, f'--output_dir={folder}/{name}']
        for name, tool in (('soft pruning', prune), ('stripping', strip))
    }


def run(runs: int) -> Dict[str, Any]:
    """Medians of seconds and memory."""
    found: Dict[str, List[Process]] = {}
    imports = [sys.executable, '-c', 'import tensorflow.compat.v1']
    with tempfile.TemporaryDirectory() as folder:
        large, small = (os.path.join(folder, n, 'model.ckpt') for n in ('l', 's'))
        write_network(large, WIDTH)
        write_network(small, SMALL_WIDTH)
        copy = ['cp', '-r', os.path.dirname(large), os.path.join(folder, 'copy')]
        for _ in range(runs):
            steps = {'import of TensorFlow': imports, 'cp': copy}
            steps.update(commands(large, folder))
            for name, each in commands(small, folder + '/small').items():
                steps[f'{name}, small'] = each
            for name, arguments in steps.items():
                found.setdefault(name, []).append(measured(arguments))
            shutil.rmtree(os.path.join(folder, 'copy'))
    return _result(found, runs)


def _result(found: Dict[str, List[Process]], runs: int) -> Dict[str, Any]:
    seconds = {n: float(np.median([p.seconds for p in f])) for n, f in found.items()}
    peaks = {n: float(np.median([p.peak_bytes for p in f])) for n, f in found.items()}
    variable = 4 * WIDTH * WIDTH
    limit = peaks['import of TensorFlow'] + 2 * variable + EXTRA_BYTES
    return {
        'network': f'{LAYERS} dense layers of {WIDTH}',
        'command': COMMAND,
        'runs': runs,
        'bytes': LAYERS * variable,
        'largest_variable': variable,
        'rows': [
            {
                'program': name,
                'seconds': seconds[name],
                'peak_bytes': peaks[name],
                'goal_seconds': 3 * seconds['cp'] + seconds[f'{name}, small'],
                'goal_bytes': limit,
            }
            for name in ('soft pruning', 'stripping')
        ],
        'cp_seconds': seconds['cp'],
        'import_peak_bytes': peaks['import of TensorFlow'],
    }


HEADER = ('program', 'seconds', 'goal', 'peak MB', 'goal MB')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    return [
        [
            row['program'],
            f'{row["seconds"]:.1f}',
            f'{row["goal_seconds"]:.1f}',
            f'{row["peak_bytes"] / 1e6:.0f}',
            f'{row["goal_bytes"] / 1e6:.0f}',
        ]
        for row in result['rows']
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return (
        f'Checkpoint of {result["bytes"] / 1e9:.1f} GB ({result["network"]}), '
        f'median of {result["runs"]} runs; cp takes {result["cp_seconds"]:.1f} s'
    )


def main() -> None:
    """Runs and writes."""
    result = run(FLAGS.runs)
    files.write_json(os.path.join(FLAGS.output_dir, 'large.json'), result)
    print(title(result) + '\n' + text.table(HEADER, rows(result)))


if __name__ == '__main__':
    flags.DEFINE_string('output_dir', 'bench_output', 'Folder for large.json.')
    flags.DEFINE_integer('runs', 5, 'Runs; the median counts.', lower_bound=1)
    program.run(main)
