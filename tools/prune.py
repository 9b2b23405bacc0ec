r"""Writes zeros into the redundant filters of a checkpoint, without training.

  python tools/prune.py --checkpoint model.ckpt-1000 --output_nodes output \
      --output_dir pruned --criterion l1 --ratio 0.5 --groups all

Written to --output_dir: model.ckpt with its meta graph, ready to retrain or to strip,
and plan.json, which tools/strip.py takes.
"""

from __future__ import annotations

import os
import sys
from typing import Tuple

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning import files, names, plan_json
from tf1pruning import plan as plan_lib
from tf1pruning.channels import select
from tf1pruning.ckpt import writer
from tf1pruning.criteria import registry
from tf1pruning.plan import Plan
from tf1pruning.report import text
from tf1pruning.workflow import (
    budgets,
    choice_flags,
    command,
    data_scores,
    inputs,
    outputs,
    planning,
    scoped,
    score_flags,
)
from tf1pruning.workflow import means as mean_replacing
from tf1pruning.workflow.loading import Source
from tf1pruning.workflow.ranking import Ranking

FLAGS = flags.FLAGS

command.define_model_flags('checkpoint')
flags.DEFINE_string('output_dir', None, 'Folder for the soft-pruned checkpoint.')
flags.DEFINE_list('scope_names', [''], 'Scopes to prune; the whole model by default.')
flags.DEFINE_enum(
    'groups',
    select.INNER,
    [select.INNER, select.ALL],
    'inner: the inner channels of inverted-residual and squeeze-and-excite blocks. '
    'all: every group that may be cut.',
)
flags.DEFINE_string(
    'criterion',
    'sparsity',
    f'What ranks filters: {", ".join(registry.known())}; with --scores: '
    f'{", ".join(registry.known_data())}.',
)
flags.DEFINE_string('scores', None, 'Scores on data, from tools/score.py (.npz).')
flags.DEFINE_string(
    'mean_replacement',
    None,
    'File of tools/score.py: fold the means of removed channels into what reads them.',
)
flags.DEFINE_enum(
    'mode',
    plan_lib.BLOCK,
    list(plan_lib.MODES),
    'block: zero every place of a filter. filter: its kernels only.',
)
flags.DEFINE_integer('random_seed', 0, 'Seed of criteria that draw: random, kmeans.')
flags.DEFINE_bool('overwrite', False, 'Replace output that is there already.')
choice_flags.define()
score_flags.define_stale()
flags.mark_flag_as_required('output_dir')


def main() -> None:
    """Prunes as the flags say."""
    prefix = os.path.join(FLAGS.output_dir, 'model.ckpt')
    plan_path = os.path.join(FLAGS.output_dir, 'plan.json')
    files.check_new([prefix + '.index', plan_path], FLAGS.overwrite)
    writer.check_state(prefix, FLAGS.overwrite)
    given = _ranking()
    choice = choice_flags.choice(given.find())
    source = inputs.load(FLAGS.checkpoint, command.model_options())
    chosen = scoped.choose(source, FLAGS.scope_names, FLAGS.groups)
    groups = select.unprotected(chosen.groups, FLAGS.protect)
    scorer = given.scorer(source)
    plan = planning.plan_by_choice(source, groups.values(), choice, scorer, FLAGS.mode)
    without: Tuple[str, ...] = ()
    if FLAGS.mean_replacement is not None:
        found = score_flags.load(FLAGS.mean_replacement)
        means = data_scores.means(source, found)
        source, without = mean_replacing.with_means(source, plan, means)
    meta_path = FLAGS.meta_graph or FLAGS.checkpoint + '.meta'
    outputs.write_zeros(prefix, source, plan, meta_path)
    plan_json.save(plan, plan_path)
    print(text.table(text.GROUP_HEADER, text.group_rows(plan)))
    print(
        f'Soft-pruned {plan.removed} of {plan.removed + plan.kept} channels: {prefix}'
    )
    if not plan.removed:
        print(planning.why_nothing_goes(plan, groups.values(), choice, scorer))
    print(_costs(source, plan))
    if FLAGS.target_latency is not None:
        print(_latencies(source, plan))
    if without:
        print(f'No bias for means behind {names.quoted(without)}: zeros there.')


def _ranking() -> Ranking:
    scores = score_flags.load(FLAGS.scores) if FLAGS.scores is not None else None
    combination = choice_flags.combination()
    return Ranking(FLAGS.criterion, scores, combination, FLAGS.random_seed)


def _costs(source: Source, plan: Plan) -> str:
    before, after = budgets.planned_costs(source, plan)
    return (
        f'Once stripped: parameters {before.parameters:,} -> {after.parameters:,}, '
        f'MACs {text.number(before.macs)} -> {text.number(after.macs)}'
    )


def _latencies(source: Source, plan: Plan) -> str:
    before, after = budgets.planned_latencies(source, plan)
    return (
        f'Latency {1000 * before:.3f} -> {1000 * after:.3f} ms, two examples, medians '
        'of this run; the next one may find others, and choose other channels.'
    )


if __name__ == '__main__':
    command.run(main)
