r"""Removes the redundant channels of a model and writes a small network.

  tf1pruning strip --model model.ckpt-1000 --output_nodes output --output_dir stripped

With --plan it removes what the plan says; without one, every channel that provably has
no influence on the outputs, such as one whose filter is zero. The stripped network is
run against the original before anything is written, on random input or on --data.
--tolerance and --allow_lossy remove more and change the outputs; by how much is
measured and printed.

--formats says what is written to --output_dir: stripped.ckpt with its meta graph (if
there are variables), stripped.pb, saved_model/, stripped.tflite; and always
report.json. Each is loaded again and run against the original before it gets its name;
a stripped.pb that is the very graph that ran is loaded, and not run once more.
"""

from __future__ import annotations

import os
from typing import Dict, List, Optional

import numpy as np
from absl import flags

import tf1pruning as tp
from tf1pruning import files, names, plan_json
from tf1pruning.cli import criterion_flags, model_flags, sample_flags
from tf1pruning.errors import OptionError
from tf1pruning.export.formats import FORMATS
from tf1pruning.report import interface, widths
from tf1pruning.steps import exporting, protection, selection, soft_pruning, stripping

FLAGS = flags.FLAGS
# Samples of a file that the networks are run on.
_RUN = 8

model_flags.define()
flags.DEFINE_string('output_dir', None, 'Folder for the stripped network.')
flags.mark_flag_as_required('output_dir')
flags.DEFINE_string(
    'plan',
    None,
    'File that says which channels go: plan.json of `prune`, or Pruned_Filters.json.',
)
flags.DEFINE_integer(
    'channel_multiple',
    1,
    'Without a plan, kept widths are multiples of this.',
    lower_bound=1,
)
flags.DEFINE_float(
    'tolerance',
    0.0,
    'Weights up to this share of the largest in their layer count as zero.',
)
flags.DEFINE_bool(
    'allow_lossy', False, 'Remove what the plan says even where it is not zero.'
)
criterion_flags.define_means()
flags.DEFINE_bool(
    'verify', True, 'Run the stripped network and the original, and compare them.'
)
model_flags.define_limits()
flags.DEFINE_list(
    'formats',
    list(exporting.DEFAULT_FORMATS),
    f'What to write, some of: {", ".join(FORMATS)}.',
)
flags.DEFINE_bool(
    'keep_optimizer',
    False,
    'Write a stripped.ckpt that training goes on from: slots are cut with their '
    'variables, the step is kept, and the meta graph is as it is trained.',
)
flags.DEFINE_bool(
    'fold_batch_norm',
    True,
    'Fold batch norm into the layers before it, in the pb and tflite files, where that '
    'is exact within the limit; not with --noverify.',
)
flags.DEFINE_bool('quantize', False, 'Quantize the weights of the tflite file.')
flags.DEFINE_bool(
    'int8',
    False,
    'The tflite file does all its arithmetic in 8-bit integers, with ranges measured '
    'on --data.',
)
sample_flags.define_inputs(
    'The networks are run on the first of them instead of random input, and --int8 '
    'measures its ranges on all.'
)
flags.DEFINE_bool('overwrite', False, 'Replace output files that exist.')
flags.DEFINE_string('plot', None, 'PNG file to draw the kept channels to.')


def main() -> None:
    """Strips as the flags say."""
    folder = FLAGS.output_dir
    criterion_flags.check_stale()
    exporting.check_new(folder, FLAGS.formats, FLAGS.overwrite, _other_targets())
    removal = tp.RemovalOptions(
        FLAGS.channel_multiple, FLAGS.tolerance, FLAGS.allow_lossy
    )
    plan = plan_json.load_plan(FLAGS.plan) if FLAGS.plan else None
    model = model_flags.model()
    selection.check_prunable(model)
    if FLAGS.mean_replacement is not None:
        model = _mean_replaced(model, plan)
    samples = _samples(model)
    options = tp.ExportOptions(
        FLAGS.fold_batch_norm,
        FLAGS.quantize,
        samples if FLAGS.int8 else None,
        FLAGS.keep_optimizer,
    )
    options.check(FLAGS.formats)
    small = tp.strip(
        model,
        plan,
        removal,
        FLAGS.verify,
        FLAGS.allow_unsafe_ops,
        FLAGS.verify_timeout,
        samples,
    )
    picture = widths.draw(small.widths) if FLAGS.plot else None
    exports = exporting.export(small, folder, FLAGS.formats, options)
    if picture is not None:
        files.write_bytes(FLAGS.plot, picture)
    model_flags.say_read(model)
    print(small)
    if plan is not None and not small.plan.removed_count:
        _name_pruned()
    if FLAGS.keep_optimizer and small.stripped.folded:
        print(stripping.folded_line(small))
    print(exports)
    print(interface.table('written', small.stripped.graph, model.signatures))
    if model.unused_keys:
        print(f'Not used by the network: {names.quoted(model.unused_keys)}.')
    exports.check()


def _mean_replaced(model: tp.Model, plan: Optional[tp.Plan]) -> tp.Model:
    """The soft-pruned model, with means of what went in the layers that read it."""
    if plan is None:
        raise OptionError(
            '--mean_replacement needs a --plan that says which channels go.'
        )
    means = criterion_flags.means(model)
    assert means is not None, 'asked for'
    return soft_pruning.with_zeros(soft_pruning.with_means(model, plan, means), plan)


def _name_pruned() -> None:
    """Names the model that `prune` wrote beside the plan, if it is there."""
    folder = os.path.dirname(FLAGS.plan)
    for name, file in (('model.ckpt', 'model.ckpt.index'), ('model.pb', 'model.pb')):
        if os.path.exists(os.path.join(folder, file)):
            pruned = os.path.join(folder, name)
            print(f'The soft-pruned model beside the plan is {pruned}.')


def _other_targets() -> List[str]:
    """Files that are written besides the exports.

    Raises:
      OutputError: if it would replace what this program reads.
    """
    if not FLAGS.plot:
        return []
    read = [FLAGS.model, FLAGS.meta_graph, FLAGS.plan, FLAGS.mean_replacement]
    protection.check_target(FLAGS.plot, [*read, FLAGS.data])
    return [FLAGS.plot]


def _samples(model: tp.Model) -> Optional[Dict[str, np.ndarray]]:
    """The samples to run on, and for --int8."""
    if FLAGS.data is None:
        if FLAGS.int8:
            raise OptionError('--int8 needs --data: ranges are measured on samples.')
        if FLAGS.inputs:
            raise OptionError('--inputs names arrays of --data: give both, or none.')
        return None
    if not (FLAGS.verify or FLAGS.int8):
        raise OptionError('With --noverify, only --int8 reads --data: leave it out.')
    return sample_flags.inputs(model, None if FLAGS.int8 else _RUN)
