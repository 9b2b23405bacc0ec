"""Checkpoint with a meta graph that imports, restores and can be trained further."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence

import numpy as np

from tf1pruning.ckpt import writer
from tf1pruning.export import session as session_lib
from tf1pruning.export.network import Network
from tf1pruning.graph import meta_graph
from tf1pruning.surgery import weights

NAME = 'stripped.ckpt'


def write(folder: str, network: Network, prefix: str) -> None:
    """Writes `stripped.ckpt*`: exactly the variables that the graph uses.

    Args:
      folder: where to write.
      network: what is written.
      prefix: where `ckpt.writer.publish` will put it.

    Raises:
      OutputError: if the files cannot be written.
    """
    meta = meta_graph.build_meta_graph(network.model)
    arrays = weights.CheckpointArrays(network.model, network.arrays)
    writer.save(folder, prefix, arrays, meta.SerializeToString())


def answers(
    folder: str, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> List[np.ndarray]:
    """Imports the meta graph, restores the checkpoint and runs.

    Raises:
      VerificationError: if that fails.
    """
    prefix = os.path.join(folder, NAME)
    return session_lib.answers(session_lib.restoring(prefix), outputs, feeds)
