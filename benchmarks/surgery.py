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
import time
from typing import Any, Callable, Dict, List

import numpy as np

from benchmarks import freezing
from tf1pruning.channels import select
from tf1pruning.workflow import loading, outputs, planning, stripping, views

THRESHOLD = 0.55
GOAL = 1.0


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds of each phase, and of TensorFlow's own freezing."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = freezing.save_network(
            freezing.BUILDS[0][1], os.path.join(folder, 'model.ckpt')
        )
        seconds: Dict[str, List[float]] = {}
        _surgery(checkpoint, folder, {})  # Warm-up.
        for _ in range(runs):
            _surgery(checkpoint, folder, seconds)
            _timed(
                seconds,
                'tensorflow freezes',
                lambda: freezing.tf_freeze(checkpoint, checkpoint + '.pb'),
            )
    medians = {phase: float(np.median(times)) for phase, times in seconds.items()}
    total = sum(value for phase, value in medians.items() if phase in PHASES)
    return {
        'network': freezing.BUILDS[0][0],
        'command': freezing.COMMAND,
        'runs': runs,
        'median_seconds': medians,
        'surgery_seconds': total,
    }


PHASES = ('load', 'plan', 'soft prune', 'load again', 'strip', 'write')


def _surgery(checkpoint: str, folder: str, seconds: Dict[str, List[float]]) -> None:
    def timed(phase: str, call: Callable[[], Any]) -> Any:
        return _timed(seconds, phase, call)

    source = timed('load', lambda: loading.load_source(checkpoint, freezing.OUTPUTS))
    plan = timed('plan', lambda: _plan(source))
    pruned = timed(
        'soft prune', lambda: outputs.write_soft_pruned(folder, source, plan)
    )
    again = timed('load again', lambda: loading.load_source(pruned, freezing.OUTPUTS))
    result = timed('strip', lambda: stripping.strip_source(again, plan, verified=False))
    timed('write', lambda: outputs.write_stripped(folder, again, result))


def _plan(source: loading.Source) -> Any:
    groups = views.by_key(select.groups_in_scopes(source.groups, [''])).values()
    return planning.plan_by_threshold(source, groups, THRESHOLD, 4, 'block')


def _timed(seconds: Dict[str, List[float]], phase: str, call: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = call()
    seconds.setdefault(phase, []).append(time.perf_counter() - started)
    return result


HEADER = ('phase', 'seconds', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    medians = result['median_seconds']
    return [
        *([phase, f'{medians[phase]:.3f}', ''] for phase in PHASES),
        ['surgery, total', f'{result["surgery_seconds"]:.3f}', f'{GOAL:.0f}'],
        ['TensorFlow freezes', f'{medians["tensorflow freezes"]:.3f}', ''],
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return (
        f'Soft pruning and stripping, {result["network"]}, median of {result["runs"]} '
        'runs'
    )
