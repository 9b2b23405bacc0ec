r"""Scores the channels of a checkpoint by what they do on data.

  python tools/score.py --checkpoint model.ckpt-1000 --output_nodes output \
      --groups all --criteria taylor_abs_rs,fisher --data images.npz \
      --inputs x=input,y=input_1 --output scores.npz

The checkpoint needs its training graph, whose loss is --loss or the only one in its
collection of losses. Without --data the graph's own input pipeline is read. Then

  python tools/prune.py --scores scores.npz --criterion fisher ...

prunes by one of the criteria. The file also holds the mean of every channel, for
--mean_replacement.
"""

from __future__ import annotations

import os
import sys
from typing import Optional

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning import files
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring import result
from tf1pruning.scoring.batches import Batches
from tf1pruning.workflow import command, data_flags, data_scores, scoped, stripping
from tf1pruning.workflow.data_scores import Trained

FLAGS = flags.FLAGS

data_flags.define()
flags.DEFINE_string('output', None, 'File to write (.npz).')
flags.DEFINE_list('criteria', None, f'Any of {", ".join(registry.known_data())}.')
flags.DEFINE_float(
    'temperature', 1.0, 'The logits of the softmax are divided by it; 200 for grasp.'
)
flags.DEFINE_string(
    'class_balanced', None, 'Input that holds classes: one batch of --data per class.'
)
flags.DEFINE_integer('per_class', 32, 'Examples per class for --class_balanced.')
flags.DEFINE_float(
    'exponential_average', None, 'Factor of the newest batch; by default the mean.'
)
flags.DEFINE_string(
    'initial_checkpoint', None, 'Weights before training, for biased_loss_init.'
)
flags.DEFINE_integer('random_seed', 0, 'Seed of the draw of --class_balanced.')
flags.mark_flags_as_required(['output', 'criteria'])


def main() -> None:
    """Scores as the flags say."""
    files.check_new([FLAGS.output], FLAGS.overwrite)
    read = [FLAGS.checkpoint, FLAGS.meta_graph, FLAGS.data, FLAGS.initial_checkpoint]
    stripping.check_target(FLAGS.output, read)
    model = data_flags.model(FLAGS.temperature)
    chosen = scoped.choose(model.source, FLAGS.scope_names, FLAGS.groups)
    scores = data_scores.score(
        model,
        chosen.groups.values(),
        _batches(model),
        FLAGS.criteria,
        FLAGS.initial_checkpoint,
        FLAGS.exponential_average,
        _progress,
    )
    result.save(scores, FLAGS.output)
    print(
        f'Scored {len(chosen.groups)} groups by {len(scores.scores)} criteria on '
        f'{scores.batches} batches, loss {scores.loss:.4f}: {FLAGS.output}'
    )


def _batches(model: Trained) -> Batches:
    if FLAGS.class_balanced is None:
        return data_flags.batches(model)
    if FLAGS.data is None:
        raise OptionError('--class_balanced goes with --data. Give that file, too.')
    return batches_lib.by_class(
        data_flags.arrays(), FLAGS.class_balanced, FLAGS.per_class, FLAGS.random_seed
    )


def _progress(done: int, total: Optional[int], left: Optional[float]) -> None:
    """Says how far it is, on stderr; about twenty times in all."""
    every = max(1, (total or 200) // 20)
    if done % every and done != total:
        return
    rest = f', {left:.0f} s left' if left is not None else ''
    print(f'batch {done} of {total or "?"}{rest}', file=sys.stderr)


if __name__ == '__main__':
    command.run(main)
