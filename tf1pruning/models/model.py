"""Model: a network that was read, with its graph, weights and channels."""

from __future__ import annotations

import collections
import dataclasses
from typing import Dict, FrozenSet, List, Mapping, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import trace_result
from tf1pruning.channels.groups import Group
from tf1pruning.ckpt import slots
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.ckpt.averages import Averaged
from tf1pruning.errors import OptionError
from tf1pruning.graph import nodes
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.meta_graphs.signature import Signature, Signatures
from tf1pruning.notes import Note
from tf1pruning.surgery import computed, weights


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A network with its weights on disk, as `load` reads it.

    Attributes:
      path: prefix of the checkpoint, folder of the SavedModel, or frozen graph.
      variables: checkpoint key -> array, read when asked for; empty if all weights are
        constants.
      meta_graph: the graph as it was read, of training or of inference.
      meta_path: the `.meta` file that it was read from; None: it is no checkpoint's.
      graph: inference graph.
      trace: where its channels live.
      groups: groups of its channels.
      unsafe_ops: nodes before its outputs that are not known to be pure.
      signatures: names of its inputs and outputs; the one that is meant comes first.
      notes: what was changed or chosen in reading it, and what looks wrong.
      divisors: checkpoint keys of what the optimizer divides by.
      seconds: what reading took, by phase.
    """

    path: str
    variables: Arrays = dataclasses.field(repr=False)
    meta_graph: tf.MetaGraphDef = dataclasses.field(repr=False)
    meta_path: Optional[str]
    graph: InferenceGraph = dataclasses.field(repr=False)
    trace: trace_result.Trace = dataclasses.field(repr=False)
    groups: Tuple[Group, ...] = dataclasses.field(repr=False)
    unsafe_ops: Tuple[str, ...]
    signatures: Signatures
    notes: Tuple[Note, ...]
    divisors: FrozenSet[str] = dataclasses.field(repr=False)
    seconds: Mapping[str, float] = dataclasses.field(repr=False)

    def at(self, path: str, variables: Arrays, meta_path: Optional[str]) -> Model:
        """The model with the weights of another checkpoint of the same graph."""
        return dataclasses.replace(
            self, path=path, variables=variables, meta_path=meta_path
        )

    def with_variables(self, variables: Arrays) -> Model:
        """The model with other weights, which are not on disk yet."""
        return dataclasses.replace(self, variables=variables)

    def with_constants(self, arrays: Mapping[str, np.ndarray]) -> Model:
        """The model with other values of the constants that are its weights.

        Args:
          arrays: name of a Const node -> array of the same shape.
        """
        graph_def = nodes.with_constants(self.graph.graph_def, arrays)
        graph = dataclasses.replace(self.graph, graph_def=graph_def)
        meta_graph = tf.MetaGraphDef()
        meta_graph.CopyFrom(self.meta_graph)
        source = nodes.with_constants(self.meta_graph.graph_def, arrays)
        meta_graph.graph_def.CopyFrom(source)
        return dataclasses.replace(
            self,
            meta_graph=meta_graph,
            graph=graph,
            trace=dataclasses.replace(self.trace, model=graph),
        )

    def training_graph(self) -> tf.MetaGraphDef:
        """The graph of the training that wrote the checkpoint.

        Raises:
          OptionError: if the model is no checkpoint, or has the averages as weights.
        """
        if self.meta_path is None:
            raise OptionError(
                f'{self.path!r} is no checkpoint of a training, so it has neither '
                'optimizer state nor loss. Give the prefix of a checkpoint.'
            )
        if isinstance(self.variables, Averaged):
            raise OptionError(
                'Training goes on from the variables, not from their averages: keep '
                'the optimizer state, or use the moving averages, not both.'
            )
        return self.meta_graph

    @property
    def signature(self) -> Signature:
        """The signature that is meant."""
        return self.signatures[0]

    @property
    def unused_keys(self) -> List[str]:
        """Keys of the checkpoint besides the model's variables and their slots."""
        own = set(self.weight_keys)
        known = own | set(slots.find_slots(self.variables.shapes, own))
        return sorted(set(self.variables.shapes) - known)

    @property
    def weight_keys(self) -> List[str]:
        """Checkpoint keys of the model's variables."""
        return [variable.key for variable in self.graph.variables]

    def judged_arrays(self) -> Mapping[str, np.ndarray]:
        """Like `keyed_arrays`, with kernels as layers read them, masked for one.

        Raises:
          CheckpointError: like `arrays`.
          VerificationError: if a kernel cannot be computed of its variables.
        """
        keyed = self.keyed_arrays()
        if not self.trace.computed:
            return keyed
        keys = self.trace.keys()
        read = computed.as_read(self.trace, self.arrays())
        own = {keys[variable]: array for variable, array in read.items()}
        return {**keyed, **own}

    @property
    def is_frozen(self) -> bool:
        """Whether all its weights are constants, so that it has no checkpoint."""
        return not self.graph.variables

    def keyed_arrays(self) -> Mapping[str, np.ndarray]:
        """Checkpoint key, or name of a Const node -> array; refuses NaN.

        Raises:
          CheckpointError: like `arrays`.
        """
        constants = self.constants()
        arrays = weights.CheckpointArrays(self.graph, self.arrays())
        # Only read, which needs no more than a Mapping.
        return collections.ChainMap(constants, arrays)  # type: ignore[arg-type]

    def keyed_shapes(self) -> Mapping[str, Tuple[int, ...]]:
        """Checkpoint key, or name of a Const node -> shape; reads no weights.

        Raises:
          CheckpointError: if variables are missing or misshaped.
        """
        weights.check_shapes(self.graph, self.variables)
        keys = self.graph.keys()
        constants = {
            name: tuple(map(len, self.trace.weights[name]))
            for name in self.trace.stored
            if name not in keys
        }
        return {**constants, **{v.key: v.full_shape for v in self.graph.variables}}

    def constants(self) -> Dict[str, np.ndarray]:
        """Name of each Const node that is a weight -> its array."""
        view = self.graph.view()
        variables = {variable.node for variable in self.graph.variables}
        return {
            name: nodes.constant_value(view.node(name))
            for name in self.trace.stored
            if name not in variables
        }

    def arrays(self) -> Arrays:
        """Variable node -> array; refuses NaN. Many arrays are not kept in memory.

        Raises:
          CheckpointError: if variables are missing, misshaped, damaged or not finite;
            many arrays are checked for the last two when they are read.
        """
        return weights.model_arrays(self.graph, self.variables)

    def frozen(self) -> tf.GraphDef:
        """The network with its variables turned into constants.

        Raises:
          GraphError: if it would not fit into a file.
          CheckpointError: like `arrays`.
        """
        return freeze.freeze(self.graph, self.arrays())
