"""Draws the result of train_pruning_class.py as one picture.

  python tools/plot_results.py --run_dir demo_output --output demo_output/results.png

Left: what the stripped network costs, compared with the original. Middle: accuracy and
kept channels along the ladder of thresholds, also before retraining and after repair.
Right: kept channels of every block.
"""

from __future__ import annotations

import os
import sys
from typing import Any, List

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from demo.training import results
from tf1pruning import files
from tf1pruning import plan as plan_lib
from tf1pruning.cli import program
from tf1pruning.errors import OptionError
from tf1pruning.facade import output_files
from tf1pruning.report import plots

FLAGS = flags.FLAGS

flags.DEFINE_string('run_dir', None, 'Output folder of train_pruning_class.py.')
flags.DEFINE_string('output', None, 'PNG file to write.')
flags.mark_flags_as_required(['run_dir', 'output'])

COSTS = (
    ('parameters', 'parameters'),
    ('MACs', 'macs'),
    ('MACs in blocks', 'prunable_macs'),
    ('pb bytes', 'pb_bytes'),
    ('latency', 'latency_ms'),
)


def main() -> None:
    """Draws as the flags say."""
    found = _read(os.path.join(FLAGS.run_dir, 'results.json'))
    plans = [_plan(step.folder) for step in found.steps]
    data = _draw(found, plans)
    files.write_bytes(FLAGS.output, data)
    print(FLAGS.output)


def _read(path: str) -> results.Results:
    try:
        return results.from_json(files.read_json(path))
    except (OSError, ValueError) as error:
        said = files.reason(error)
        raise OptionError(
            f'{path!r} holds no results ({said}). Is --run_dir a finished run?'
        ) from error


def _plan(folder: str) -> plan_lib.Plan:
    plan = output_files.read_plan(os.path.join(FLAGS.run_dir, folder))
    if plan is None:
        raise OptionError(f'No plan in {folder!r}. Is --run_dir a finished run?')
    return plan


def _draw(found: results.Results, plans: List[plan_lib.Plan]) -> bytes:
    figure, axes = plots.pyplot().subplots(
        1, 3, figsize=(13, 4), constrained_layout=True
    )
    _draw_costs(axes[0], found)
    _draw_ladder(axes[1], found, plans)
    _draw_widths(axes[2], plans[-1])
    return plots.png(figure)


def _draw_costs(axes: Any, found: results.Results) -> None:
    original, stripped = found.models['original'], found.models['stripped']
    labels = [label for label, _ in COSTS]
    shares = [100 * getattr(stripped, key) / getattr(original, key) for _, key in COSTS]
    axes.barh(labels, [100] * len(labels), color=plots.GONE)
    axes.barh(labels, shares, color=plots.KEPT)
    for row, share in enumerate(shares):
        axes.text(2, row, f'{share:.0f} %', color='white', va='center')
    axes.invert_yaxis()
    axes.set_title('Stripped network, original = 100 %')
    axes.set_xlim(0, 100)


def _draw_ladder(axes: Any, found: results.Results, plans: List[plan_lib.Plan]) -> None:
    labels = ['original'] + [f'{step.threshold:g}' for step in found.steps]
    accuracy = [100 * found.models['original'].accuracy]
    accuracy += [100 * step.accuracy for step in found.steps]
    kept = [100.0] + [100 * plan.kept_count / plan.channel_count for plan in plans]
    axes.plot(labels, accuracy, marker='o', color='#c05621', label='test accuracy')
    axes.plot(labels, kept, marker='s', color=plots.KEPT, label='kept channels')
    pruned = [100 * step.accuracy_pruned for step in found.steps]
    axes.plot(labels[1:], pruned, ':x', color='#718096', label='before retraining')
    if found.untrained is not None:
        repaired = [100 * found.untrained.repaired]
        style = {'markersize': 10, 'fillstyle': 'none', 'color': '#2f855a'}
        label = 'repaired, without training'
        axes.plot(labels[-1:], repaired, 'D', label=label, **style)
    axes.set_ylim(0, 104)
    axes.set_ylabel('%')
    axes.set_xlabel('sparsity threshold')
    axes.set_title('Along the ladder of thresholds')
    # Below: inside it would cover points.
    axes.legend(loc='upper center', bbox_to_anchor=(0.5, -0.15), ncol=2)


def _draw_widths(axes: Any, plan: plan_lib.Plan) -> None:
    labels = [group.name.rpartition('/')[2] for group in plan.groups]
    axes.barh(labels, [group.width for group in plan.groups], color=plots.GONE)
    axes.barh(labels, [group.kept_count for group in plan.groups], color=plots.KEPT)
    for row, group in enumerate(plan.groups):
        axes.text(
            group.width + 2, row, f'{group.kept_count} of {group.width}', va='center'
        )
    axes.set_xlim(0, 1.3 * max(group.width for group in plan.groups))
    axes.invert_yaxis()
    axes.set_title('Kept channels of each block')


if __name__ == '__main__':
    program.run(main)
