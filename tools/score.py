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
from typing import Dict, Optional

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning import files
from tf1pruning.channels import select
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.graph import meta_graph
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring import result
from tf1pruning.scoring.batches import Batches
from tf1pruning.workflow import command, data_scores, inputs, scoped
from tf1pruning.workflow.data_scores import Trained

FLAGS = flags.FLAGS

command.define_model_flags('checkpoint')
flags.DEFINE_string('output', None, 'File to write (.npz).')
flags.DEFINE_list('criteria', None, f'Any of {", ".join(registry.known_data())}.')
flags.DEFINE_string('loss', '', 'Loss tensor; by default the only loss of the graph.')
flags.DEFINE_float(
    'temperature', 1.0, 'The logits of the softmax are divided by it; 200 for grasp.'
)
flags.DEFINE_string(
    'data', None, 'Arrays (.npz), one per input of the loss, examples first.'
)
flags.DEFINE_list('inputs', [], 'Which array is which input: x=input,y=input_1.')
flags.DEFINE_integer('batch_size', 32, 'Examples per batch of --data.')
flags.DEFINE_integer(
    'batches', None, 'Batches at most; of the input pipeline, 50 by default.'
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
flags.DEFINE_list('scope_names', [''], 'Scopes to score; the whole model by default.')
flags.DEFINE_enum(
    'groups', select.INNER, [select.INNER, select.ALL], 'As in tools/prune.py.'
)
flags.DEFINE_bool(
    'allow_unsafe_ops', False, 'Run graphs that write files or call Python.'
)
flags.DEFINE_integer('random_seed', 0, 'Seed of the draw of --class_balanced.')
flags.DEFINE_bool('overwrite', False, 'Replace the file if it is there already.')
flags.mark_flags_as_required(['output', 'criteria'])

PIPELINE_BATCHES = 50


def main() -> None:
    """Scores as the flags say."""
    files.check_new([FLAGS.output], FLAGS.overwrite)
    source = inputs.load(FLAGS.checkpoint, command.model_options())
    graph = meta_graph.read_meta_graph(FLAGS.meta_graph or FLAGS.checkpoint + '.meta')
    model = data_scores.trained(
        source, graph, FLAGS.loss, FLAGS.temperature, FLAGS.allow_unsafe_ops
    )
    chosen = scoped.choose(source, FLAGS.scope_names, FLAGS.groups)
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
    if FLAGS.data is None:
        given = [n for n in ('class_balanced', 'inputs') if FLAGS[n].value]
        if given:
            raise OptionError(f'--{given[0]} goes with --data.')
        return model.pipeline(FLAGS.batches or PIPELINE_BATCHES)
    arrays = batches_lib.read_arrays(FLAGS.data, _inputs())
    if FLAGS.class_balanced is not None:
        return batches_lib.by_class(
            arrays, FLAGS.class_balanced, FLAGS.per_class, FLAGS.random_seed
        )
    return batches_lib.of_arrays(arrays, FLAGS.batch_size, FLAGS.batches)


def _inputs() -> Dict[str, str]:
    pairs = [text.partition('=') for text in FLAGS.inputs]
    wrong = [text for text, (_, equals, _) in zip(FLAGS.inputs, pairs) if not equals]
    if wrong:
        raise OptionError(f'--inputs has {wrong[0]!r}; expected array=input.')
    return {name: target for name, _, target in pairs}


def _progress(done: int, total: Optional[int], left: Optional[float]) -> None:
    """Says how far it is, on stderr; about twenty times in all."""
    every = max(1, (total or 200) // 20)
    if done % every and done != total:
        return
    rest = f', {left:.0f} s left' if left is not None else ''
    print(f'batch {done} of {total or "?"}{rest}', file=sys.stderr)


if __name__ == '__main__':
    command.run(main)
