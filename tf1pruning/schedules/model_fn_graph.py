"""What a `model_fn` builds, to trace and score it; nothing is trained."""

from __future__ import annotations

import dataclasses
from typing import Iterator, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.scoring.batches import Batch, Batches, InputFn, signature_of


@dataclasses.dataclass(frozen=True, eq=False)
class Built:
    """The graph of a `model_fn` in evaluation.

    Attributes:
      meta_graph: the graph; what the `input_fn` would give are placeholders.
      loss: name of the loss tensor.
      inputs: these placeholders, in the order of `tf.nest.flatten`.
    """

    meta_graph: tf.MetaGraphDef = dataclasses.field(repr=False)
    loss: str
    inputs: Tuple[str, ...]

    def batches(self, input_fn: InputFn, model: InferenceGraph, count: int) -> Batches:
        """The first `count` batches of an `input_fn`, for what a graph reads of them.

        Raises:
          OptionError: if `count` is below 1.
        """
        found = Batches.of_input_fn(input_fn, self.inputs, count)
        read = set(model.inputs)

        def start() -> Iterator[Batch]:
            for batch in found.start():
                yield {name: array for name, array in batch.items() if name in read}

        return Batches(start, found.count)


def build(estimator: tf.estimator.Estimator, input_fn: InputFn) -> Built:
    """Builds the graph of an Estimator's evaluation, with placeholders for its data.

    Args:
      estimator: whose `model_fn` is called.
      input_fn: called for the shapes of what it gives; takes no arguments.

    Raises:
      DataError: if the `input_fn` gives neither a dataset nor tensors.
    """
    types, shapes = signature_of(input_fn)
    with tf.Graph().as_default() as graph:
        given = tf.nest.map_structure(_placeholder, types, shapes)
        pair = given if isinstance(given, (list, tuple)) else (given, None)
        if len(pair) != 2:
            raise DataError(
                f'The input_fn gives {len(pair)} parts; expected features and labels, '
                'or features alone.'
            )
        tf.train.get_or_create_global_step()
        mode = tf.estimator.ModeKeys.EVAL
        spec = estimator.model_fn(pair[0], pair[1], mode, estimator.config)
        # An Estimator does so for training.
        if not any(loss is spec.loss for loss in tf.losses.get_losses()):
            tf.losses.add_loss(spec.loss)
        meta_graph = tf.train.export_meta_graph(graph=graph)
    inputs = tuple(tensor.op.name for tensor in tf.nest.flatten(given))
    return Built(meta_graph, spec.loss.name, inputs)


def _placeholder(dtype: tf.DType, shape: tf.TensorShape) -> tf.Tensor:
    """Takes batches of any size: the last one of the data may be smaller."""
    if shape.ndims:
        shape = tf.TensorShape([None]).concatenate(shape[1:])
    return tf.placeholder(dtype, shape, 'given')
