r"""Removes the redundant channels of a checkpoint and writes a small frozen graph.

  python tools/strip.py --checkpoint model.ckpt-1000 --output_nodes output \
      --output_dir stripped

With --plan it removes what the plan says; without one, every channel that provably has
no influence on the outputs (zero filters, say). The stripped network is run against the
original on random input before anything is written. --tolerance and --allow_lossy
remove more and change the outputs; by how much is measured and printed.

The checkpoint may also be the folder of a SavedModel or a frozen graph. --formats says
what is written to --output_dir: stripped.ckpt with its meta graph (if there are
variables), stripped.pb, saved_model/, stripped.tflite; and always report.json. Each
is loaded again and run against the original before it gets its name.
"""

from __future__ import annotations

import os
import sys
from typing import List, Optional

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning import files, names, plan_json
from tf1pruning.errors import OptionError
from tf1pruning.export import calibration, tflite
from tf1pruning.graph.signature import Signature
from tf1pruning.plan import Plan
from tf1pruning.report import text, widths
from tf1pruning.surgery.choice import RemovalOptions
from tf1pruning.workflow import (
    budgets,
    command,
    data_scores,
    exporting,
    inputs,
    score_flags,
    stripping,
)
from tf1pruning.workflow import means as mean_replacing
from tf1pruning.workflow.loading import Source
from tf1pruning.workflow.phases import Phases

FLAGS = flags.FLAGS

command.define_model_flags('checkpoint')
flags.DEFINE_string('output_dir', None, 'Folder for the stripped network.')
flags.DEFINE_string(
    'plan', None, 'Plan (Pruned_Filters.json) that says which channels go.'
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
    'allow_lossy',
    False,
    'Remove what the plan says even where it is not zero (any more).',
)
flags.DEFINE_string(
    'mean_replacement',
    None,
    'File of tools/score.py: for a checkpoint that is not soft-pruned. What the plan '
    'removes leaves its mean in what reads it.',
)
flags.DEFINE_bool(
    'verify', True, 'Run the stripped network and the original, and compare them.'
)
flags.DEFINE_bool(
    'allow_unsafe_ops', False, 'Run graphs that write files or call Python.'
)
flags.DEFINE_list(
    'formats',
    ['ckpt', 'pb'],
    'What to write, some of: ckpt, pb, saved_model, tflite.',
)
flags.DEFINE_bool(
    'keep_optimizer',
    False,
    'Write a stripped.ckpt that training goes on from: slots are cut with their '
    'variables, the step is kept, and the meta graph is as it is trained.',
)
flags.DEFINE_bool(
    'fold_batch_norm',
    False,
    'Fold batch norm into the layers before it, in the pb and tflite files.',
)
flags.DEFINE_bool('quantize', False, 'Quantize the weights of the tflite file.')
flags.DEFINE_string(
    'calibration_data',
    None,
    'File (.npz) with one array per input, by name, its first axis the samples. The '
    'tflite file then does all its arithmetic in 8-bit integers.',
)
score_flags.define_stale()
flags.DEFINE_bool('overwrite', False, 'Replace output that is there already.')
flags.DEFINE_string('plot', None, 'PNG file to draw the kept channels to.')
flags.mark_flag_as_required('output_dir')


def main() -> None:
    """Strips as the flags say."""
    exporting.check_new(
        FLAGS.output_dir, FLAGS.formats, FLAGS.overwrite, _other_targets()
    )
    phases = Phases()
    options = RemovalOptions(FLAGS.channel_multiple, FLAGS.tolerance, FLAGS.allow_lossy)
    plan = plan_json.load(FLAGS.plan) if FLAGS.plan else None
    source = inputs.load(FLAGS.checkpoint, command.model_options(), phases)
    if FLAGS.mean_replacement is not None:
        source = _mean_replaced(source, plan)
    export_options = _export_options(source)
    result = stripping.strip_source(
        source,
        plan,
        verified=FLAGS.verify,
        options=options,
        allow_unsafe=FLAGS.allow_unsafe_ops,
        phases=phases,
    )
    picture = widths.draw(result.widths) if FLAGS.plot else None
    exports = exporting.export(source, result, FLAGS.output_dir, export_options, phases)
    if picture is not None:
        files.write_bytes(FLAGS.plot, picture)
    _write_report(source, result, exports, phases)
    _print(source, result, exports, phases, plan)
    exporting.check(exports)


def _mean_replaced(source: Source, plan: Optional[Plan]) -> Source:
    """The model with zeros at the cuts of the plan, and means in place of them."""
    if plan is None:
        raise OptionError(
            '--mean_replacement needs a --plan that says which channels go.'
        )
    found = score_flags.load(FLAGS.mean_replacement)
    means = data_scores.means(source, found)
    folded, without = mean_replacing.with_means(source, plan, means)
    if without:
        print(f'No bias for means behind {names.quoted(without)}: zeros there.')
    return budgets.soft_pruned(folded, plan)


def _other_targets() -> List[str]:
    """What is written besides the exports.

    Raises:
      OutputError: if it would replace what this program reads.
    """
    if not FLAGS.plot:
        return []
    read = [FLAGS.checkpoint, FLAGS.meta_graph, FLAGS.plan]
    read += [FLAGS.mean_replacement, FLAGS.calibration_data]
    stripping.check_target(FLAGS.plot, read)
    return [FLAGS.plot]


def _export_options(source: Source) -> exporting.Options:
    samples = None
    if FLAGS.calibration_data:
        samples = calibration.read_samples(FLAGS.calibration_data, source.model)
    training = None
    if FLAGS.keep_optimizer:
        training = inputs.training_graph(FLAGS.checkpoint, command.model_options())
    return exporting.Options(
        formats=tuple(FLAGS.formats),
        lite=tflite.Options(FLAGS.quantize, samples),
        fold_batch_norm=FLAGS.fold_batch_norm,
        training=training,
    )


def _write_report(
    source: Source,
    result: stripping.Result,
    exports: exporting.Exports,
    phases: Phases,
) -> None:
    fields = {
        **stripping.report(result),
        **exporting.report(exports),
        'unused_variables': source.unused_keys,
        'signature_inputs_gone': list(source.signature.gone),
        'seconds': phases.seconds,
    }
    files.write_json(os.path.join(FLAGS.output_dir, exporting.REPORT), fields)


def _print(
    source: Source,
    result: stripping.Result,
    exports: exporting.Exports,
    phases: Phases,
    plan: Optional[Plan],
) -> None:
    print(widths.table(result.widths))
    for lossy in result.stripped.lossy:
        print(f'lost {len(lossy.channels)} of {lossy.group}: {lossy.reason}')
    if not result.stripped.plan.removed:
        print(_why_nothing_goes(result, plan))
    print(stripping.summary_line(result))
    print(_sizes(result))
    if FLAGS.keep_optimizer and result.stripped.folded:
        print(stripping.folded_line(result))
    for flag in source.model.flags:
        print(f'Decided: {flag}.')
    if source.signature.gone:
        print(_gone(source.signature))
    print(exporting.table(exports))
    print(', '.join(f'{name} {value:.2f} s' for name, value in phases.seconds.items()))
    if source.unused_keys:
        print(f'Not used by the network: {names.quoted(source.unused_keys)}.')


def _why_nothing_goes(result: stripping.Result, plan: Optional[Plan]) -> str:
    if plan is None or not plan.removed:
        return 'No channel can be removed.'
    pruned = os.path.join(os.path.dirname(FLAGS.plan), 'model.ckpt')
    named = f' ({pruned})' if os.path.exists(pruned + '.index') else ''
    return (
        f'None of the {plan.removed} planned channels goes: '
        f'{result.stripped.kept[0].reason}. If this is the checkpoint before pruning, '
        f'give the soft-pruned or retrained one{named}, or --allow_lossy.'
    )


def _gone(signature: Signature) -> str:
    return (
        f'Inputs of the signature that the network does not take: '
        f'{names.quoted(signature.gone)}. It takes '
        f'{names.quoted([str(ref) for _, ref in signature.inputs])}.'
    )


def _sizes(result: stripping.Result) -> str:
    before, after = result.before, result.after
    return (
        f'parameters {before.parameters:,} -> {after.parameters:,}, '
        f'MACs {text.number(before.macs)} -> {text.number(after.macs)}, '
        f'variables {result.arrays.nbytes:,} -> {result.stripped.arrays.nbytes:,} bytes'
    )


if __name__ == '__main__':
    command.run(main)
