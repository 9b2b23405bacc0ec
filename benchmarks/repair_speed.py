"""Time and memory of a repair: `python -m benchmarks.repair_speed`.

MobileNetV2 1.0/224 with random weights, half of each group gone, 512 images of noise in
a file. Repair and one pass of the unpruned network over them are processes of their
own, of which the system counts CPU seconds and memory; what a process takes to load the
network is taken off. The goals: at most 10 times the pass plus 20 seconds, and 2 GB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, NamedTuple

import numpy as np
from absl import flags

import tf1pruning as tp
from benchmarks import freezing, large
from tf1pruning import files
from tf1pruning.cli import program
from tf1pruning.recovery import comparing
from tf1pruning.report import text

FLAGS = flags.FLAGS

COMMAND = 'python -m benchmarks.repair_speed'
SAMPLES, SIDE = 512, 224
CHECKPOINT, IMAGES = 'model.ckpt', 'images.npz'
LOAD, PASS, REPAIR = 'load', 'pass', 'repair'
TIMES, MORE_SECONDS, MOST_BYTES = 10, 20, 2e9


class Process(NamedTuple):
    """What a process took, of all its threads."""

    cpu_seconds: float
    peak_bytes: int


def work(kind: str, folder: str) -> None:
    """Does one of the things that are measured."""
    model = tp.load(os.path.join(folder, CHECKPOINT), ['output'])
    samples = tp.samples(model, os.path.join(folder, IMAGES))
    if kind == PASS:
        comparing.changes(model.graph, model.frozen(), [], samples.batches)
    if kind == REPAIR:
        plan = tp.choose(model, ratio=0.5, criterion='l2', groups='all')
        print(tp.repair(model, plan, samples))


def run() -> Dict[str, Any]:
    """CPU seconds and memory of each process."""
    name, build = freezing.BUILDS[0]
    with tempfile.TemporaryDirectory() as folder:
        freezing.save_network(build, os.path.join(folder, CHECKPOINT))
        noise = np.random.RandomState(0).randn(SAMPLES, SIDE, SIDE, 3)
        np.savez(os.path.join(folder, IMAGES), input=noise.astype(np.float32))
        found = {kind: measured(kind, folder) for kind in (LOAD, PASS, REPAIR)}
    return {
        'network': name,
        'command': COMMAND,
        'samples': SAMPLES,
        'processes': {kind: each._asdict() for kind, each in found.items()},
    }


def measured(kind: str, folder: str) -> Process:
    """Runs one of the things in a process, to its end."""
    arguments = ['-m', 'benchmarks.repair_speed', f'--work={kind}']
    process = subprocess.Popen(
        [sys.executable, *arguments, f'--folder={folder}'], cwd=large.ROOT
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise RuntimeError(f'{kind} ended with status {status}')
    # Linux counts in KiB.
    return Process(usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss)


HEADER = ('process', 'CPU seconds', 'goal', 'peak MB', 'goal MB')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    processes = result['processes']
    base = processes[LOAD]['cpu_seconds']
    goal = TIMES * (processes[PASS]['cpu_seconds'] - base) + MORE_SECONDS
    goals = {REPAIR: (f'{goal:.0f}', f'{MOST_BYTES / 1e6:.0f}')}
    return [
        [
            kind,
            f'{processes[kind]["cpu_seconds"] - base:.0f}',
            goals.get(kind, ('', ''))[0],
            f'{processes[kind]["peak_bytes"] / 1e6:.0f}',
            goals.get(kind, ('', ''))[1],
        ]
        for kind in (PASS, REPAIR)
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return f'Repair of {result["network"]}, {result["samples"]} images, one run'


def main() -> None:
    """Runs and writes, or does what is measured."""
    if FLAGS.work:
        work(FLAGS.work, FLAGS.folder)
        return
    result = run()
    files.write_json(os.path.join(FLAGS.output_dir, 'repair_speed.json'), result)
    print(title(result) + '\n' + text.table(HEADER, rows(result)))


if __name__ == '__main__':
    flags.DEFINE_string('output_dir', 'bench_output', 'Folder for repair_speed.json.')
    flags.DEFINE_enum('work', None, (LOAD, PASS, REPAIR), 'What to do, if only that.')
    flags.DEFINE_string('folder', None, 'Of network and images, for --work.')
    program.run(main)
