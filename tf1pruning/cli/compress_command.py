r"""Makes a model smaller, with answers as near as samples without labels allow.

  tf1pruning compress --model model.ckpt-1000 --output_nodes output \
      --data samples.npz --target_macs 0.5 --output_dir small

It chooses channels, soft-prunes them, repairs the layers behind them by least squares,
strips the network, distils it if --distill_steps says so, verifies and exports it. A
table compares the stages on samples that took no part. Labels are not needed.

Written to --output_dir: the formats of --formats, report.json, samples.png (the first
inputs as they are fed: look at it), similarity.png (which layer answers otherwise) and
widths.json (the table of widths, by which the same command goes on after a stop).
"""

from __future__ import annotations

import os
from typing import List, Sequence

from absl import flags

import tf1pruning as tp
from tf1pruning import files
from tf1pruning.channels import select
from tf1pruning.cli import choice_flags, model_flags, progress_lines, sample_flags
from tf1pruning.errors import OutputError
from tf1pruning.export.formats import FORMATS
from tf1pruning.report import interface, similarity
from tf1pruning.sessions import RunLimits
from tf1pruning.steps import compress_plans, compressing, exporting
from tf1pruning.steps.compress_options import CRITERION

FLAGS = flags.FLAGS
# Fewer samples than these are few.
_FEW = 100
SAMPLES, SIMILARITY, WIDTHS, STATE = (
    'samples.png',
    'similarity.png',
    'widths.json',
    'distillation.npz',
)

model_flags.define()
model_flags.define_groups(select.ALL)
model_flags.define_limits()
sample_flags.define()
sample_flags.define_labels()
flags.mark_flag_as_required('data')
flags.DEFINE_string('output_dir', None, 'Folder for the small network.')
flags.mark_flag_as_required('output_dir')
choice_flags.define_targets()
choice_flags.define_limits()
flags.DEFINE_float('ratio', None, 'Share of the channels of each group that goes.')
flags.DEFINE_float(
    'max_change',
    None,
    'Largest change of the outputs: RMS difference over their RMS deviation. Beyond it '
    'nothing is written. Alone it says how small the network becomes.',
)
flags.DEFINE_string(
    'criterion',
    CRITERION,
    'What ranks the channels of a group, by weights or by samples without a loss.',
)
flags.DEFINE_integer(
    'distill_steps', 0, 'Steps of training to answer like the original. 0: none.'
)
flags.DEFINE_integer('seed', 0, 'Seed of all that is drawn.')
flags.DEFINE_list(
    'formats',
    list(exporting.DEFAULT_FORMATS),
    f'What to write, some of: {", ".join(FORMATS)}.',
)
flags.DEFINE_bool(
    'dry_run', False, 'Say what would go within the budget; write the table of widths.'
)
flags.DEFINE_bool('overwrite', False, 'Replace output files that exist.')


def main() -> None:
    """Compresses as the flags say."""
    options = _options()
    tp.ExportOptions().check(FLAGS.formats)
    if not FLAGS.dry_run:
        exporting.check_new(FLAGS.output_dir, FLAGS.formats, FLAGS.overwrite)
    model = model_flags.model()
    model_flags.say_read(model)
    samples, warned = sample_flags.samples(model)
    limits = RunLimits(FLAGS.allow_unsafe_ops, FLAGS.verify_timeout)
    progress = progress_lines.printer()
    files.make_folder(FLAGS.output_dir)
    _draw(samples)
    _say_parts(samples, options.holdout)
    if FLAGS.dry_run:
        parts = samples.split(options.holdout)
        print(
            compress_plans.plan_model(
                model, parts, options, _path(WIDTHS), limits, progress
            )
        )
        return
    found = compressing.compress_model(
        model, samples, options, _path(WIDTHS), _path(STATE), limits, progress
    )
    _write(model, found, warned)


def _options() -> tp.CompressOptions:
    return tp.CompressOptions(
        ratio=FLAGS.ratio,
        target=choice_flags.target(),
        max_change=FLAGS.max_change,
        criterion=FLAGS.criterion,
        groups=FLAGS.groups,
        scope_names=tuple(FLAGS.scope_names),
        protect=tuple(FLAGS.protect),
        limits=choice_flags.limits(),
        distill_steps=FLAGS.distill_steps,
        holdout=FLAGS.holdout,
        seed=FLAGS.seed,
        disk=sample_flags.disk(),
    )


def _path(name: str) -> str:
    return os.path.join(FLAGS.output_dir, name)


def _draw(samples: tp.Samples) -> None:
    """Writes the picture of the first inputs, and prints their figures."""
    picture = samples.picture()
    for line in picture.lines:
        print(line)
    if picture.png is not None:
        files.write_bytes(_path(SAMPLES), picture.png)
        print(f'The first inputs as they are fed: {_path(SAMPLES)}')
    print()


def _say_parts(samples: tp.Samples, holdout: float) -> None:
    parts = samples.split(holdout)
    fit, choose, report = (part.count for part in parts)
    print(
        f'{samples.count} samples: {fit} are fitted, {choose} choose, and {report} are '
        'only reported.'
    )
    if samples.count < _FEW:
        print('They are few: what is reported is uncertain. Some hundred are better.')
    print()


def _write(model: tp.Model, found: tp.Compressed, warned: Sequence[str]) -> None:
    # One of an earlier run would be of another network.
    files.remove(_path(SIMILARITY))
    exports = exporting.export(
        found.stripped,
        FLAGS.output_dir,
        FLAGS.formats,
        more={**found.report(), 'warnings': list(warned)},
    )
    files.remove(_path(STATE))
    for line in _lines(found):
        print(line)
    print(interface.table('written', found.stripped.stripped.graph, model.signatures))
    print(f'\n{exports}\n\n{_drawn(found)}\n\n{found}')
    for line in warned:
        print(f'Warning: {line}')
    exports.check()


def _drawn(found: tp.Compressed) -> str:
    """Draws the similarity of layers; a line that says where, or why not."""
    try:
        files.write_bytes(_path(SIMILARITY), similarity.draw(found.similarities))
    except OutputError:
        raise
    except tp.Tf1PruningError as error:
        return f'The similarity of the layers is not drawn: {error}'
    return f'The similarity of the layers: {_path(SIMILARITY)}'


def _lines(found: tp.Compressed) -> List[str]:
    lines = [str(found.stripped), '', str(found.repaired), '']
    if found.distillation is not None:
        lines += [str(found.distillation), '']
    return lines
