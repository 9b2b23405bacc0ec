"""How long surgery takes on MobileNetV2 1.0/224, without training and verification.

One run is all of it, from the checkpoint on disk to the soft-pruned checkpoint, and
from that to the stripped checkpoint and the frozen graph on disk. In the same process,
in turn, TensorFlow freezes the unpruned network in its own way (import, restore,
convert): the ratio of the two holds also when the machine is slow. The goal: surgery
takes at most 1 s in all.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, List

import numpy as np

import tf1pruning as tp
from benchmarks import freezing, tf_freeze
from tf1pruning.facade import output_files
from tf1pruning.phases import Phases

THRESHOLD = 0.55
GOAL = 1.0
TENSORFLOW = 'TensorFlow freezes'


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds of each phase, and of TensorFlow's own freezing."""
    name, build = freezing.BUILDS[0]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = freezing.save_network(build, os.path.join(folder, 'model.ckpt'))
        # The first is a warm-up.
        found = [_seconds(checkpoint, folder) for _ in range(runs + 1)][1:]
    medians = {
        phase: float(np.median([seconds[phase] for seconds in found]))
        for phase in found[0]
    }
    return {
        'network': name,
        'command': freezing.COMMAND,
        'runs': runs,
        'median_seconds': medians,
        'surgery_seconds': sum(medians.values()) - medians[TENSORFLOW],
    }


def _seconds(checkpoint: str, folder: str) -> Dict[str, float]:
    """Seconds of each phase of one run."""
    phases = Phases()
    with phases.phase('load'):
        model = tp.load(checkpoint, tf_freeze.OUTPUTS)
    with phases.phase('plan'):
        plan = tp.choose(model, threshold=THRESHOLD, limits=tp.Limits(multiple=4))
    with phases.phase('soft prune'):
        pruned = output_files.write_soft_pruned(folder, model, plan)
    with phases.phase('load again'):
        again = tp.load(pruned, tf_freeze.OUTPUTS)
    with phases.phase('strip'):
        stripped = tp.strip(again, plan, verify=False)
    with phases.phase('write'):
        output_files.write_stripped(folder, stripped)
    with phases.phase(TENSORFLOW):
        tf_freeze.tf_freeze(checkpoint, checkpoint + '.pb')
    return phases.seconds


HEADER = ('phase', 'seconds', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    medians = result['median_seconds']
    return [
        *([name, f'{medians[name]:.3f}', ''] for name in medians if name != TENSORFLOW),
        ['surgery, total', f'{result["surgery_seconds"]:.3f}', f'{GOAL:.0f}'],
        [TENSORFLOW, f'{medians[TENSORFLOW]:.3f}', ''],
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return (
        f'Soft pruning and stripping, {result["network"]}, median of {result["runs"]} '
        'runs'
    )
