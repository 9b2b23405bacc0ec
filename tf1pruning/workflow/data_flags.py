"""The command-line flags that say what data and which loss a model is run on."""

from __future__ import annotations

from typing import Dict

import numpy as np
from absl import flags

from tf1pruning.channels import select
from tf1pruning.errors import OptionError
from tf1pruning.graph import meta_graph
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batches
from tf1pruning.workflow import command, data_scores, inputs
from tf1pruning.workflow.data_scores import Trained

PIPELINE_BATCHES = 50

# Flags that this module defines belong to the program that asks for them.
flags.disclaim_key_flags()


def define() -> None:
    """Defines the flags, together with those of the model and its groups."""
    command.define_model_flags('checkpoint')
    flags.DEFINE_string(
        'loss', '', 'Loss tensor; by default the only loss of the graph.'
    )
    flags.DEFINE_string(
        'data', None, 'Arrays (.npz), one per input of the loss, examples first.'
    )
    flags.DEFINE_list('inputs', [], 'Which array is which input: x=input,y=input_1.')
    flags.DEFINE_integer('batch_size', 32, 'Examples per batch of --data.')
    flags.DEFINE_integer(
        'batches', None, 'Batches at most; of the input pipeline, 50 by default.'
    )
    flags.DEFINE_list(
        'scope_names', [''], 'Scopes to look at; the whole model by default.'
    )
    flags.DEFINE_enum(
        'groups', select.INNER, [select.INNER, select.ALL], 'As in tools/prune.py.'
    )
    flags.DEFINE_bool(
        'allow_unsafe_ops', False, 'Run graphs that write files or call Python.'
    )
    flags.DEFINE_bool('overwrite', False, 'Replace output that is there already.')


def model(temperature: float = 1.0) -> Trained:
    """The model that the flags name, with its loss.

    Args:
      temperature: the logits of the softmax are divided by it.

    Raises:
      CheckpointError: if the checkpoint is missing or damaged.
      GraphError: if its graph is, or the loss is not found in it.
      OptionError: on bad flags, or a model that is no checkpoint.
    """
    values = flags.FLAGS
    if not inputs.is_checkpoint(values.checkpoint):
        raise OptionError(
            f'{values.checkpoint!r} is no checkpoint of a training, so it has no loss. '
            'Give the prefix of a checkpoint that has its meta graph.'
        )
    source = inputs.load(values.checkpoint, command.model_options())
    path = values.meta_graph or values.checkpoint + '.meta'
    return data_scores.trained(
        source,
        meta_graph.read_meta_graph(path),
        values.loss,
        temperature,
        values.allow_unsafe_ops,
    )


def arrays() -> Dict[str, np.ndarray]:
    """The arrays of --data, by input.

    Raises:
      OptionError: if --inputs is malformed.
      DataError: if the file is missing, damaged, or lacks an array.
    """
    pairs = [text.partition('=') for text in flags.FLAGS.inputs]
    wrong = [t for t, (_, equals, _) in zip(flags.FLAGS.inputs, pairs) if not equals]
    if wrong:
        raise OptionError(f'--inputs has {wrong[0]!r}; expected array=input.')
    named = {name: target for name, _, target in pairs}
    return batches_lib.read_arrays(flags.FLAGS.data, named)


def batches(model: Trained) -> Batches:
    """The data: arrays of a file, or the model's own input pipeline.

    Raises:
      OptionError: on flags that contradict each other.
      DataError: as `arrays`, or if there is neither a file nor a pipeline.
    """
    values = flags.FLAGS
    if values.data is not None:
        return batches_lib.of_arrays(arrays(), values.batch_size, values.batches)
    if values.inputs:
        raise OptionError('--inputs goes with --data. Give that file, too.')
    return model.pipeline(values.batches or PIPELINE_BATCHES)
