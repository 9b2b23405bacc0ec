"""Flags of the data that a model runs on, and of its loss."""

from __future__ import annotations

from typing import Dict, Sequence

import numpy as np
from absl import flags

from tf1pruning.cli import model_flags, sample_flags
from tf1pruning.errors import OptionError
from tf1pruning.sampling.options import GRAPH
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import data_scores
from tf1pruning.steps.data_scores import Subject, Trained

PIPELINE_BATCHES = 50


def define() -> None:
    """Defines the flags, together with those of the model and its groups."""
    model_flags.define()
    model_flags.define_groups()
    flags.DEFINE_string(
        'loss',
        '',
        'Loss tensor. Default: the only loss of the graph, if one is needed.',
    )
    sample_flags.define_data(
        f'"{GRAPH}": the input pipeline of the training graph, or arrays (.npz), one '
        'per input of the model, or of its loss where that is needed; examples first.'
    )
    flags.mark_flag_as_required('data')
    flags.DEFINE_integer('batch_size', 32, 'Examples per batch of a file of arrays.')
    flags.DEFINE_integer(
        'batches',
        None,
        f'Batches at most. Default: {PIPELINE_BATCHES} of the input pipeline, all of a '
        'file.',
    )
    model_flags.define_limits()
    flags.DEFINE_bool('overwrite', False, 'Replace output files that exist.')


def trained() -> Trained:
    """The model that the flags name, with its loss.

    Raises:
      CheckpointError: if the checkpoint is missing or damaged.
      GraphError: if its graph is, or the loss is not found in it.
      OptionError: on bad flags.
    """
    values = flags.FLAGS
    return data_scores.with_loss(
        model_flags.model(),
        values.loss,
        allow_unsafe=values.allow_unsafe_ops,
        timeout=values.verify_timeout,
    )


def subject(criteria: Sequence[str], temperature: float) -> Subject:
    """The model that the flags name, with its loss if that is named or needed.

    Args:
      criteria: names of data-driven criteria.
      temperature: the logits of the softmax are divided by it.

    Raises:
      CheckpointError, GraphError, OptionError: like `trained`.
    """
    values = flags.FLAGS
    return data_scores.subject_for(
        model_flags.model(),
        criteria,
        values.loss,
        temperature,
        values.allow_unsafe_ops,
        values.verify_timeout,
    )


def arrays() -> Dict[str, np.ndarray]:
    """The arrays of --data, by input.

    Raises:
      OptionError: if --inputs is malformed.
      DataError: if the file is missing, damaged, or lacks an array.
    """
    return batches_lib.read_arrays(flags.FLAGS.data, sample_flags.named_inputs())


def batches(subject: Subject) -> Batches:
    """The data: arrays of a file, or the model's own input pipeline.

    Raises:
      OptionError: on flags that contradict each other.
      DataError: as `arrays`, or if the graph has no pipeline.
    """
    values = flags.FLAGS
    if values.data != GRAPH:
        return Batches.of_arrays(arrays(), values.batch_size, values.batches)
    if values.inputs:
        raise OptionError('--inputs is for a file of arrays, and --data is "graph".')
    return subject.pipeline(values.batches or PIPELINE_BATCHES)
