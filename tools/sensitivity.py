r"""Measures how much of each group may go, without training.

  python tools/sensitivity.py --checkpoint model.ckpt-1000 --output_nodes output \
      --groups all --criteria l1,random --data test.npz --inputs x=input,y=input_1 \
      --output_dir sensitivity

Every group is pruned by itself, at every ratio, by every criterion; with
--mean_replacement once more with the means of --scores left behind. All points run in
one session, with the pruned weights fed. Written to --output_dir: sensitivity.json
after every point, from which a run that was stopped goes on, then sensitivity.csv and
sensitivity.png.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Optional

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning import files
from tf1pruning.criteria import registry
from tf1pruning.report import curves, plots
from tf1pruning.workflow import command, data_flags, scoped, score_flags, sensitivity
from tf1pruning.workflow.probing import Probe
from tf1pruning.workflow.sensitivity import Curves

FLAGS = flags.FLAGS

data_flags.define()
score_flags.define()
flags.DEFINE_string('output_dir', None, 'Folder for the curves.')
flags.DEFINE_list(
    'criteria',
    ['l1'],
    f'Any of {", ".join(registry.known())}; with --scores also: '
    f'{", ".join(registry.known_data())}.',
)
flags.DEFINE_list(
    'ratios',
    ['0.1', '0.25', '0.5', '0.75', '0.9'],
    'Shares of the channels of a group that go.',
)
flags.mark_flag_as_required('output_dir')


def main() -> None:
    """Measures as the flags say."""
    ratios = command.numbers('ratios')
    plots.pyplot()
    given = score_flags.given()
    model = data_flags.model()
    chosen = scoped.choose(model.source, FLAGS.scope_names, FLAGS.groups)
    question = sensitivity.Question(
        list(chosen.groups.values()),
        ratios,
        {name: given.scorer(model.source, name) for name in FLAGS.criteria},
        given.means(model.source),
    )
    probe = Probe(model, data_flags.batches(model))
    found = sensitivity.measure(probe, question, _known(probe), _save)
    _save(found)
    files.write_text(_path('sensitivity.csv'), found.as_csv())
    picture = curves.grid(found.lines(), 'share that is pruned')
    files.write_bytes(_path('sensitivity.png'), picture)
    print(f'{len(found.points)} points of {len(question.groups)} groups: {_path("")}')


def _known(probe: Probe) -> Curves:
    """What an earlier run has found, or the unpruned model alone."""
    digest = hashlib.sha256(f'{probe.fingerprint} {FLAGS.random_seed} '.encode())
    if FLAGS.scores:
        with open(FLAGS.scores, 'rb') as file:
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


if __name__ == '__main__':
    command.run(main)
