"""What is to be read, for networks that are nothing but their inputs."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference import derivation
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.sampling import fitting
from tf1pruning.sampling.options import SampleOptions, Wanted

# Name of an input -> its type and shape.
Entries = Mapping[str, Tuple[tf.DType, Optional[Sequence[Optional[int]]]]]


def graph(entries: Entries) -> InferenceGraph:
    """A network with these inputs."""
    with tf.Graph().as_default():
        outputs = [
            tf.identity(tf.placeholder(dtype, shape, name), f'{name}_out')
            for name, (dtype, shape) in entries.items()
        ]
        meta_graph = tf.train.export_meta_graph()
    return derivation.derive(meta_graph, [output.op.name for output in outputs])


def wanted(entries: Entries, **options: object) -> Wanted:
    """What is to be read for such a network."""
    model = graph(entries)
    found = fitting.inputs_of(model)
    return Wanted(found, model.required_inputs, SampleOptions(**options))
