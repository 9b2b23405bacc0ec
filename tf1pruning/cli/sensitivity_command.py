r"""Measures how much of each group may go, without training or after a few steps.

  tf1pruning sensitivity --model model.ckpt-1000 --output_nodes output \
      --groups all --criteria l1,random --data test.npz --inputs x=input,y=input_1 \
      --output_dir sensitivity

Prunes each group alone, at every ratio, by every criterion; with --mean_replacement
once more with means instead of zeros. All points run in one session, which is fed the
pruned weights. With --steps N each point is a clone of the pruned weights after N
training steps on the same data, with the removed channels held at zero; it is compared
with a clone of the unpruned weights after as many steps.

Written to --output_dir: sensitivity.json after every point, so that a stopped run can
go on; then sensitivity.csv, sensitivity.png, and loss_change.png: the loss minus that
of the unpruned model.
"""

from __future__ import annotations

import hashlib
import os
from typing import Optional

from absl import flags

from tf1pruning import files
from tf1pruning.cli import (
    criterion_flags,
    data_flags,
    model_flags,
    program,
)
from tf1pruning.errors import OptionError
from tf1pruning.report import plots
from tf1pruning.steps.selection import select_groups
from tf1pruning.studies import curves, sensitivity
from tf1pruning.studies.clone import Steps
from tf1pruning.studies.probing import Probe
from tf1pruning.studies.sensitivity import Curves

FLAGS = flags.FLAGS
LEARNING_RATE = 0.01

data_flags.define()
criterion_flags.define_several()
flags.DEFINE_string('output_dir', None, 'Folder for the curves.')
flags.DEFINE_list(
    'ratios',
    ['0.1', '0.25', '0.5', '0.75', '0.9'],
    'Shares of the channels of a group that go.',
)
flags.DEFINE_integer(
    'steps', 0, 'Training steps on a clone before each point is measured.'
)
flags.DEFINE_float(
    'learning_rate',
    None,
    f'Learning rate of --steps. Default: {LEARNING_RATE}.',
)
flags.mark_flag_as_required('output_dir')


def main() -> None:
    """Measures as the flags say."""
    ratios = program.numbers('ratios')
    steps = _steps()
    plots.pyplot()
    rankings = criterion_flags.rankings(FLAGS.criteria)
    trained = data_flags.trained()
    model = trained.model
    chosen = select_groups(model, FLAGS.scope_names, model_flags.which_groups(model))
    question = sensitivity.Question(
        list(chosen.groups.values()),
        ratios,
        {each.criterion.name: each.scorer(model) for each in rankings},
        criterion_flags.means(model),
    )
    probe = Probe(trained, data_flags.batches(trained), steps)
    found = sensitivity.measure(probe, question, _known(probe), _save)
    _save(found)
    files.write_text(_path('sensitivity.csv'), found.as_csv())
    share = 'share that is pruned'
    files.write_bytes(_path('sensitivity.png'), curves.grid(found.lines(), share))
    picture = curves.grid(found.changes(), share, 'loss change')
    files.write_bytes(_path('loss_change.png'), picture)
    print(f'{len(found.points)} points of {len(question.groups)} groups: {_path("")}')
    model_flags.print_notes(model)


def _steps() -> Optional[Steps]:
    """How clones are trained; None: they are not.

    Raises:
      OptionError: on numbers out of range, or a learning rate without steps.
    """
    if FLAGS.steps < 0:
        raise OptionError(f'--steps is {FLAGS.steps}; expected 0 or more.')
    if FLAGS.steps:
        given = FLAGS.learning_rate
        rate = LEARNING_RATE if given is None else given
        return Steps(FLAGS.steps, rate, FLAGS.allow_unsafe_ops)
    if FLAGS.learning_rate is not None:
        raise OptionError('--learning_rate belongs to --steps: give both, or none.')
    return None


def _known(probe: Probe) -> Curves:
    """What an earlier run has found, or the unpruned model alone."""
    digest = hashlib.sha256(f'{probe.fingerprint} {FLAGS.seed} '.encode())
    for path in (FLAGS.scores, FLAGS.mean_replacement):
        if path is not None:
            with open(path, 'rb') as file:
                digest.update(file.read())
    fingerprint = digest.hexdigest()[:16]
    path = _path('sensitivity.json')
    known: Optional[Curves] = None
    if not FLAGS.overwrite:
        known = sensitivity.load(path, fingerprint)
    return known or Curves(fingerprint, probe.unpruned())


def _save(found: Curves) -> None:
    sensitivity.save(found, _path('sensitivity.json'))


def _path(name: str) -> str:
    return os.path.join(FLAGS.output_dir, name)
