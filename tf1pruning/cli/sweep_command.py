r"""Prunes weights and units by a list of shares and measures loss and accuracy.

  tf1pruning sweep --model model.ckpt-1000 --output_nodes output \
      --groups all --data test.npz --inputs x=input,y=input_1 --output_dir sweep

Nothing is trained: each share is pruned from the same weights, in one session. Weight
pruning zeroes the smallest weights of every kernel that makes a chosen group; unit
pruning zeroes the channels that --criterion ranks first. Written to --output_dir:
results.csv, loss_accuracy.png, and for each share a histogram of the remaining weights
and one of the remaining units, also as weights.gif and units.gif.
"""

from __future__ import annotations

import os
from typing import List, Sequence

from absl import flags

from tf1pruning import files
from tf1pruning.cli import (
    criterion_flags,
    data_flags,
    model_flags,
    program,
)
from tf1pruning.report import plots
from tf1pruning.steps.selection import select_groups
from tf1pruning.studies import animation, curves, sweeping
from tf1pruning.studies.animation import Frame
from tf1pruning.studies.probing import Probe
from tf1pruning.studies.sweeping import Point

FLAGS = flags.FLAGS

data_flags.define()
criterion_flags.define()
flags.DEFINE_string('output_dir', None, 'Folder for table and pictures.')
flags.DEFINE_list(
    'ratios',
    ['0', '0.25', '0.5', '0.6', '0.7', '0.8', '0.9', '0.95', '0.97', '0.99'],
    'Shares of the weights and of the units that go.',
)
flags.DEFINE_bool('histograms', True, 'Draw histograms and GIFs.')
flags.mark_flag_as_required('output_dir')

TABLE, PICTURE = 'results.csv', 'loss_accuracy.png'
WEIGHT_BINS, UNIT_BINS = 300, 100


def main() -> None:
    """Sweeps as the flags say."""
    ratios = program.numbers('ratios')
    sweeping.check_ratios(ratios)
    files.check_new(_targets(ratios), FLAGS.overwrite)
    plots.pyplot()
    [ranking] = criterion_flags.rankings([FLAGS.criterion])
    trained = data_flags.trained()
    model = trained.model
    chosen = select_groups(model, FLAGS.scope_names, model_flags.which_groups(model))
    groups = list(chosen.groups.values())
    scorer, means = ranking.scorer(model), criterion_flags.means(model)
    probe = Probe(trained, data_flags.batches(trained))
    points = sweeping.sweep(probe, groups, ratios, scorer, means, _say)
    files.write_bytes(_path(PICTURE), _curves(points))
    if FLAGS.histograms:
        frames = sweeping.weight_frames(probe, groups, ratios)
        _write_frames('weights', frames, ratios, WEIGHT_BINS)
        frames = sweeping.unit_frames(probe, groups, ratios, scorer)
        _write_frames('units', frames, ratios, UNIT_BINS)
    files.write_text(_path(TABLE), sweeping.as_csv(points))
    model_flags.say_read(model)
    print(_path(TABLE))


def _targets(ratios: Sequence[float]) -> List[str]:
    """Every file that is written."""
    targets = [TABLE, PICTURE]
    if FLAGS.histograms:
        for name in ('weights', 'units'):
            targets += [_animation(name), *(_histogram(name, s) for s in ratios)]
    return [_path(target) for target in targets]


def _histogram(name: str, ratio: float) -> str:
    return f'{name}_k={ratio:g}.png'


def _animation(name: str) -> str:
    return f'{name}.gif'


def _path(name: str) -> str:
    return os.path.join(FLAGS.output_dir, name)


def _say(point: Point) -> None:
    print(
        f'{point.ratio:g}: weights {_figures(point.weight)}, '
        f'units {_figures(point.unit)}',
        flush=True,
    )


def _figures(outcome: sweeping.Outcome) -> str:
    known = outcome.accuracy is not None
    accuracy = f' accuracy {outcome.accuracy:.4f}' if known else ''
    return f'loss {outcome.loss:.4f}{accuracy}'


def _curves(points: Sequence[Point]) -> bytes:
    lines = [
        curves.Line(
            kind,
            [p.ratio for p in points],
            [getattr(p, kind) for p in points],
            kind,
        )
        for kind in ('weight', 'unit')
    ]
    return curves.loss_and_accuracy(lines, 'share that is pruned')


def _write_frames(
    name: str, frames: Sequence[Frame], ratios: Sequence[float], bins: int
) -> None:
    for ratio, picture in zip(ratios, animation.draw(frames, bins)):
        files.write_bytes(_path(_histogram(name, ratio)), picture)
    animation.write_gif(_path(_animation(name)), frames, bins)
