"""What is exported."""

from __future__ import annotations

import dataclasses

import tensorflow.compat.v1 as tf

from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.graph.model import Model
from tf1pruning.graph.signature import Signature


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A network in the forms that the formats need.

    Attributes:
      model: its graph, with variables.
      arrays: variable node -> array.
      frozen: the graph with constants in the place of variables, made for running.
      signature: names of its inputs and outputs.
    """

    model: Model
    arrays: Arrays
    frozen: tf.GraphDef
    signature: Signature
