"""Base class of the formats: files of one kind, written, loaded again and run."""

from __future__ import annotations

import abc
import dataclasses
import os
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import files
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.meta_graphs.signature import Signatures
from tf1pruning.sessions import STRICT, RunLimits


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A network in the forms that the formats need.

    Attributes:
      graph: its graph, with variables.
      arrays: variable node -> array.
      frozen: the graph with constants in the place of variables, made for running;
        empty if no format is made from it.
      signatures: names of its inputs and outputs.
      limits: of its runs.
    """

    graph: InferenceGraph
    arrays: Arrays
    frozen: tf.GraphDef
    signatures: Signatures
    limits: RunLimits = STRICT


class Format(abc.ABC):
    """One kind of file, folder or checkpoint that a network is exported to.

    Attributes:
      name: what users call it.
      file: name of the file or folder, or of the prefix of a checkpoint.
      is_frozen: whether it is made from the frozen graph.
      is_exact: whether its answers must equal those of the network.
      may_fail: whether it cannot take some networks; the other formats are written
        all the same.
    """

    name: str
    file: str
    is_frozen = False
    is_exact = True
    may_fail = False

    @abc.abstractmethod
    def write(self, folder: str, network: Network, target: str) -> None:
        """Writes the files.

        Args:
          folder: where to.
          network: what is written.
          target: where `publish` will put them.

        Raises:
          OutputError: if they cannot be written, or the format cannot take the network.
        """

    @abc.abstractmethod
    def answers(
        self,
        folder: str,
        outputs: Sequence[str],
        feeds: Mapping[str, np.ndarray],
        limits: RunLimits = STRICT,
    ) -> List[np.ndarray]:
        """Loads what was written and runs it.

        Args:
          folder: where `write` put it.
          outputs: node names.
          feeds: input node -> array.
          limits: of the run.

        Raises:
          VerificationError: if that fails.
          GraphError: if the network is not safe to run, or runs too long.
        """

    def holds(self, folder: str, ran: str) -> bool:
        """Whether the very graph that ran was written, which then answers as it did.

        Args:
          folder: where `write` put it.
          ran: digest of that graph, see `verify.digest`.

        Raises:
          VerificationError: if it does not load.
        """
        return False

    def own_feeds(
        self, folder: str, usual: Sequence[Mapping[str, np.ndarray]]
    ) -> Optional[List[Dict[str, np.ndarray]]]:
        """The inputs on which the files are compared; None: the usual ones.

        Args:
          folder: where `write` put the files.
          usual: inputs on which the network was run already.
        """
        return None

    def publish(self, folder: str, target: str) -> None:
        """Renames the files to their target, which replaces older ones.

        Raises:
          OutputError: if that fails.
        """
        files.publish(os.path.join(folder, self.file), target)

    def present(self, target: str) -> str:
        """A path that exists if the format was exported before."""
        return target
