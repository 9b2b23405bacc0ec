"""How long imports and the whole of tools/strip.py take, as processes of their own.

They take turns with TensorFlow's import and with TensorFlow's own freezing of the
unpruned network. The goals: tf1pruning takes at most 0.15 s more to import than
TensorFlow alone; tools/strip.py takes at most 1.15 times as long as the freezing, and
0.7 times where it does not verify.
"""

from __future__ import annotations

import compileall
import os
import sys
import tempfile
from typing import Any, Dict, List, Tuple

import numpy as np

from benchmarks import freezing, large

TF_IMPORT, IMPORT = 'import tensorflow.compat.v1', 'import tf1pruning'
TF_FREEZES = 'TensorFlow freezes'
MORE_SECONDS = 0.15
# Variant of tools/strip.py -> its flags, and the goal for its ratio.
VARIANTS: Dict[str, Tuple[Tuple[str, ...], float]] = {
    'tools/strip.py, verified': ((), 1.15),
    'tools/strip.py, not verified': (('--noverify',), 0.7),
}


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds, per process."""
    # TensorFlow has its byte code, and so has a package that is installed.
    compileall.compile_dir(os.path.join(large.ROOT, 'tf1pruning'), quiet=1)
    seconds: Dict[str, List[float]] = {}
    name, build = freezing.BUILDS[0]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = freezing.save_network(build, os.path.join(folder, 'model.ckpt'))
        pruned = freezing.soft_prune(
            checkpoint, os.path.join(folder, 'p', 'model.ckpt')
        )
        for number in range(runs):
            target = os.path.join(folder, f'out{number}')
            for key, arguments in _processes(checkpoint, pruned, target).items():
                found = large.measured([sys.executable, *arguments]).seconds
                seconds.setdefault(key, []).append(found)
    return {
        'network': name,
        'command': freezing.COMMAND,
        'runs': runs,
        'median_seconds': {k: float(np.median(found)) for k, found in seconds.items()},
    }


def _processes(checkpoint: str, pruned: str, target: str) -> Dict[str, List[str]]:
    """What is measured -> arguments for Python; `target` is new each time."""
    processes = {
        TF_IMPORT: ['-c', TF_IMPORT],
        IMPORT: ['-c', IMPORT],
        TF_FREEZES: ['benchmarks/tf_freeze.py', checkpoint, f'{target}.pb'],
    }
    for number, (variant, (flags, _)) in enumerate(VARIANTS.items()):
        processes[variant] = [
            'tools/strip.py',
            f'--model={pruned}',
            f'--output_dir={target}_{number}',
            *flags,
        ]
    return processes


HEADER = ('process', 'seconds', 'beside TensorFlow', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    medians = result['median_seconds']
    more = medians[IMPORT] - medians[TF_IMPORT]
    return [
        [TF_IMPORT, f'{medians[TF_IMPORT]:.2f}', '', ''],
        [IMPORT, f'{medians[IMPORT]:.2f}', f'{more:+.2f} s', f'{MORE_SECONDS:+} s'],
        [TF_FREEZES, f'{medians[TF_FREEZES]:.2f}', '', ''],
        *(
            [
                variant,
                f'{medians[variant]:.2f}',
                f'{medians[variant] / medians[TF_FREEZES]:.2f} times',
                f'{goal} times',
            ]
            for variant, (_, goal) in VARIANTS.items()
        ),
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return f'Whole processes, {result["network"]}, median of {result["runs"]} runs'
