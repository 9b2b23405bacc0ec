"""How long the whole process of tools/strip.py takes, beside the import of TensorFlow.

Both are processes of their own, in turn. The goal for MobileNetV2 1.0/224 is 1.3 times
the import and 1 s.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any, Dict, List

import numpy as np

from benchmarks import freezing, large

IMPORT = [sys.executable, '-c', 'import tensorflow']
VARIANTS = (('verified', ()), ('not verified', ('--noverify',)))


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds."""
    seconds: Dict[str, List[float]] = {}
    name, build = freezing.BUILDS[0]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = freezing.save_network(build, os.path.join(folder, 'model.ckpt'))
        pruned = freezing.soft_prune(
            checkpoint, os.path.join(folder, 'p', 'model.ckpt')
        )
        for number in range(runs):
            seconds.setdefault('import', []).append(large.measured(IMPORT).seconds)
            for variant, flags in VARIANTS:
                command = [
                    sys.executable,
                    'tools/strip.py',
                    f'--checkpoint={pruned}',
                    f'--output_dir={folder}/{variant}{number}',
                    *flags,
                ]
                found = large.measured(command).seconds
                seconds.setdefault(variant, []).append(found)
    medians = {key: float(np.median(values)) for key, values in seconds.items()}
    return {
        'network': name,
        'command': freezing.COMMAND,
        'runs': runs,
        'median_seconds': medians,
        'goal_seconds': 1.3 * medians['import'] + 1,
    }


HEADER = ('process', 'seconds', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    medians, goal = result['median_seconds'], f'{result["goal_seconds"]:.2f}'
    return [
        ['import tensorflow', f'{medians["import"]:.2f}', ''],
        *(
            [f'tools/strip.py, {variant}', f'{medians[variant]:.2f}', goal]
            for variant, _ in VARIANTS
        ),
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return f'Whole process, {result["network"]}, median of {result["runs"]} runs'
