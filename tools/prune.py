"""Writes zeros into the redundant filters of a checkpoint, without training.

  python tools/prune.py --checkpoint model.ckpt-1000 --output_nodes output \
      --output_dir pruned --criterion l1 --ratio 0.5 --groups all

Written to --output_dir: model.ckpt with its meta graph, ready to retrain or to strip,
and plan.json, which tools/strip.py takes.
"""

from __future__ import annotations

import os
import sys

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning import plan as plan_lib
from tf1pruning import plan_json
from tf1pruning.channels import select
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.plan import Plan
from tf1pruning.report import text
from tf1pruning.workflow import command, inputs, outputs, planning, scoped
from tf1pruning.workflow.scoped import Scoped

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
    'criterion', 'sparsity', f'What ranks filters: {", ".join(registry.known())}.'
)
flags.DEFINE_float(
    'threshold', None, 'Filters with a larger score go; for sparsity, 0.5 by default.'
)
flags.DEFINE_float('ratio', None, 'Share of the filters of each group that goes.')
flags.DEFINE_enum(
    'mode',
    plan_lib.BLOCK,
    list(plan_lib.MODES),
    'block: zero every place of a filter. filter: its kernels only.',
)
flags.DEFINE_integer(
    'channel_multiple', 4, 'Kept widths are multiples of this.', lower_bound=1
)
flags.DEFINE_integer('random_seed', 0, 'Seed of the criterion random.')
flags.mark_flag_as_required('output_dir')

DEFAULT_THRESHOLD = 0.5


def main() -> None:
    """Prunes as the flags say."""
    criterion = registry.find(FLAGS.criterion, FLAGS.random_seed)
    _check_choice(criterion)
    source = inputs.load(FLAGS.checkpoint, command.model_options())
    chosen = scoped.choose(source, FLAGS.scope_names, FLAGS.groups)
    plan = _plan(chosen, criterion)
    prefix = os.path.join(FLAGS.output_dir, 'model.ckpt')
    meta_path = FLAGS.meta_graph or FLAGS.checkpoint + '.meta'
    outputs.write_zeros(prefix, source, plan, meta_path)
    plan_json.save(plan, os.path.join(FLAGS.output_dir, 'plan.json'))
    print(text.table(text.GROUP_HEADER, text.group_rows(plan)))
    print(
        f'Soft-pruned {plan.removed} of {plan.removed + plan.kept} channels: {prefix}'
    )


def _check_choice(criterion: registry.Criterion) -> None:
    """Refuses a threshold or ratio that makes no sense."""
    if FLAGS.threshold is not None and FLAGS.ratio is not None:
        raise OptionError('Give --threshold or --ratio, not both.')
    if FLAGS.ratio is not None and not 0 < FLAGS.ratio < 1:
        raise OptionError(f'--ratio is {FLAGS.ratio}; expected between 0 and 1.')
    if criterion.is_share:
        plan_lib.check_threshold(_threshold())
    elif FLAGS.ratio is None and FLAGS.threshold is None:
        raise OptionError(
            f'Criterion {criterion.name!r} has no threshold of its own: give --ratio.'
        )


def _threshold() -> float:
    return DEFAULT_THRESHOLD if FLAGS.threshold is None else FLAGS.threshold


def _plan(chosen: Scoped, criterion: registry.Criterion) -> Plan:
    groups, multiple = chosen.groups.values(), FLAGS.channel_multiple
    if FLAGS.ratio is not None:
        return planning.plan_by_ratio(
            chosen.source, groups, FLAGS.ratio, multiple, FLAGS.mode, criterion
        )
    return planning.plan_by_threshold(
        chosen.source, groups, _threshold(), multiple, FLAGS.mode, criterion
    )


if __name__ == '__main__':
    command.run(main)
