r"""Writes zeros into the redundant channels of a model, without training.

  tf1pruning prune --model model.ckpt-1000 --output_nodes output \
      --output_dir pruned --criterion l1 --ratio 0.5

Written to --output_dir: model.ckpt with its meta graph, ready to retrain or to strip,
or model.pb of a frozen graph, with zeros in it; and plan.json, which `strip` takes.
"""

from __future__ import annotations

import os
from typing import Optional

from absl import flags

import tf1pruning as tp
from tf1pruning import files, plan_json
from tf1pruning import plan as plan_lib
from tf1pruning.ckpt import writer
from tf1pruning.cli import (
    choice_flags,
    criterion_flags,
    model_flags,
    progress_lines,
    sample_flags,
)
from tf1pruning.errors import OptionError, OutputError
from tf1pruning.report import interface, text
from tf1pruning.sessions import RunLimits
from tf1pruning.steps import budgets

FLAGS = flags.FLAGS

model_flags.define()
model_flags.define_groups()
flags.DEFINE_string('output_dir', None, 'Folder for the soft-pruned model.')
flags.mark_flag_as_required('output_dir')
criterion_flags.define()
choice_flags.define()
flags.DEFINE_enum(
    'mode',
    plan_lib.BLOCK,
    list(plan_lib.MODES),
    'block: zero every place of a channel. filter: only the kernels that make it.',
)
flags.DEFINE_bool(
    'repair',
    False,
    'Fit the layers behind cuts to what they made before, on samples without labels '
    '(--data).',
)
sample_flags.define()
model_flags.define_limits()
flags.DEFINE_bool('overwrite', False, 'Replace output files that exist.')


def main() -> None:
    """Prunes as the flags say."""
    prefix = os.path.join(FLAGS.output_dir, 'model.ckpt')
    frozen = os.path.join(FLAGS.output_dir, 'model.pb')
    plan_path = os.path.join(FLAGS.output_dir, 'plan.json')
    files.check_new([prefix + '.index', frozen, plan_path], FLAGS.overwrite)
    writer.check_state(prefix, FLAGS.overwrite)
    criterion_flags.check_stale()
    _check_data()
    choice = choice_flags.choice(FLAGS.criterion)
    scores, means = criterion_flags.scores(), criterion_flags.mean_scores()
    model = model_flags.model()
    path = frozen if model.is_frozen else prefix
    _check_alone(path, f'{prefix}.index' if model.is_frozen else frozen)
    plan = tp.choose(
        model,
        choice,
        criterion=FLAGS.criterion,
        scores=scores,
        combination=criterion_flags.combination(),
        seed=FLAGS.seed,
        groups=model_flags.which_groups(model),
        scope_names=FLAGS.scope_names,
        protect=FLAGS.protect,
        mode=FLAGS.mode,
        allow_unsafe=FLAGS.allow_unsafe_ops,
        verify_timeout=FLAGS.verify_timeout,
    )
    repaired = _repaired(model, plan)
    with files.set_aside(plan_path):
        soft = tp.soft_prune(repaired.model if repaired else model, plan, path, means)
    plan_json.save_plan(plan, plan_path)
    model_flags.say_read(model)
    print(text.table(text.GROUP_HEADER, text.group_rows(plan)))
    print(f'Soft-pruned {plan.removed_count} of {plan.channel_count} channels: {path}')
    print(_costs(model, plan))
    if repaired is not None:
        print(repaired)
    print(interface.table('written', soft.graph, soft.signatures))
    if FLAGS.target_latency is not None:
        print(_latencies(model, plan))


def _check_data() -> None:
    """Refuses samples that nothing is done with, and a repair without them."""
    if FLAGS.repair and FLAGS.data is None:
        raise OptionError('--repair needs samples: give --data.')
    if FLAGS.data is not None and not FLAGS.repair:
        raise OptionError('--data is for --repair: give both, or none.')
    if FLAGS.repair and FLAGS.mean_replacement is not None:
        raise OptionError('--repair does more than --mean_replacement: give one.')


def _repaired(model: tp.Model, plan: tp.Plan) -> Optional[tp.Repaired]:
    """The repaired model, if that is asked for."""
    if not FLAGS.repair:
        return None
    return tp.repair(
        model,
        plan,
        sample_flags.samples(model)[0],
        tp.RepairOptions(disk=sample_flags.disk(), seed=FLAGS.seed),
        FLAGS.holdout,
        FLAGS.allow_unsafe_ops,
        FLAGS.verify_timeout,
        progress_lines.printer(),
    )


def _check_alone(path: str, other: str) -> None:
    """Refuses to write beside the output of a model of another kind."""
    if os.path.exists(other):
        raise OutputError(
            f'{other!r} belongs to another plan, and {path!r} would not replace it. '
            'Choose another folder, or remove it.'
        )


def _costs(model: tp.Model, plan: tp.Plan) -> str:
    before, after = budgets.planned_costs(model, plan)
    return (
        f'Once stripped: parameters {before.parameters:,} -> {after.parameters:,}, '
        f'MACs {text.number(before.macs)} -> {text.number(after.macs)}'
    )


def _latencies(model: tp.Model, plan: tp.Plan) -> str:
    limits = RunLimits(FLAGS.allow_unsafe_ops, FLAGS.verify_timeout)
    before, after = budgets.planned_latencies(model, plan, limits)
    return (
        f'Latency {1000 * before:.3f} -> {1000 * after:.3f} ms, two examples, medians '
        'of this run; the next one may find others, and choose other channels.'
    )
