r"""Scores the channels of a model on data, and by its loss.

  tf1pruning score --model model.ckpt-1000 --output_nodes output \
      --criteria taylor_abs_rs,fisher --data images.npz --inputs x=input,y=input_1 \
      --output scores.npz

Criteria that look at the loss need a checkpoint with its training graph: --loss, or the
only one in its collection of losses. The others take any model, and the data of its
inputs alone. Then

  tf1pruning prune --scores scores.npz --criterion fisher ...

prunes by one of the criteria. The file also holds the mean of every channel, for
--mean_replacement.
"""

from __future__ import annotations

from absl import flags

from tf1pruning import files
from tf1pruning.cli import data_flags, model_flags, progress_lines
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.sampling.options import GRAPH
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import data_scores, protection
from tf1pruning.steps.data_scores import Subject
from tf1pruning.steps.selection import select_groups

FLAGS = flags.FLAGS

data_flags.define()
flags.DEFINE_string('output', None, 'File to write (.npz).')
flags.DEFINE_list('criteria', None, f'Any of {", ".join(registry.known_data())}.')
flags.DEFINE_float(
    'temperature', 1.0, 'Divisor of the logits of the softmax; 200 for grasp.'
)
flags.DEFINE_string(
    'class_balanced',
    None,
    'Input that holds classes; makes one batch per class.',
)
flags.DEFINE_integer('per_class', 32, 'Examples per class for --class_balanced.')
flags.DEFINE_float(
    'exponential_average',
    None,
    'Weight of the newest batch in a moving average. Default: the mean of all batches.',
)
flags.DEFINE_string(
    'initial_checkpoint', None, 'Weights before training, for biased_loss_init.'
)
flags.DEFINE_integer('seed', 0, 'Seed of the draw of --class_balanced, and of pixels.')
flags.mark_flags_as_required(['output', 'criteria'])


def main() -> None:
    """Scores as the flags say."""
    files.check_new([FLAGS.output], FLAGS.overwrite)
    read = [FLAGS.model, FLAGS.meta_graph, FLAGS.data, FLAGS.initial_checkpoint]
    protection.check_target(FLAGS.output, read)
    subject = data_flags.subject(FLAGS.criteria, FLAGS.temperature)
    which = model_flags.which_groups(subject.model)
    chosen = select_groups(subject.model, FLAGS.scope_names, which)
    scores = data_scores.score_groups(
        subject,
        chosen.groups.values(),
        _batches(subject),
        FLAGS.criteria,
        FLAGS.initial_checkpoint,
        FLAGS.exponential_average,
        progress_lines.printer(),
        FLAGS.seed,
    )
    scores.save(FLAGS.output)
    model_flags.say_read(subject.model)
    loss = '' if scores.loss is None else f', loss {scores.loss:.4f}'
    print(
        f'Scored {len(chosen.groups)} groups by {len(scores.scores)} criteria on '
        f'{scores.batches} batches{loss}: {FLAGS.output}'
    )


def _batches(subject: Subject) -> Batches:
    if FLAGS.class_balanced is None:
        return data_flags.batches(subject)
    if FLAGS.data == GRAPH:
        raise OptionError('--class_balanced needs a file of arrays as --data.')
    return Batches.by_class(
        data_flags.arrays(), FLAGS.class_balanced, FLAGS.per_class, FLAGS.seed
    )
