"""Format `ckpt`: a checkpoint with a meta graph that imports, restores and trains."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence

import numpy as np

from tf1pruning.ckpt import writer
from tf1pruning.export import session as session_lib
from tf1pruning.export.format import Format, Network
from tf1pruning.graph.meta_graphs import signature
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.surgery import weights


class CheckpointFormat(Format):
    """`stripped.ckpt*`: exactly the variables that the graph uses."""

    name = 'ckpt'
    file = 'stripped.ckpt'

    def write(self, folder: str, network: Network, target: str) -> None:
        """See `Format.write`."""
        meta = signature.meta_graph_of(network.graph, network.signatures)
        arrays = weights.CheckpointArrays(network.graph, network.arrays)
        writer.save(folder, target, arrays, meta.SerializeToString())

    def answers(
        self,
        folder: str,
        outputs: Sequence[str],
        feeds: Mapping[str, np.ndarray],
        limits: RunLimits = STRICT,
    ) -> List[np.ndarray]:
        """Imports the meta graph, restores the checkpoint and runs."""
        prefix = os.path.join(folder, self.file)
        return session_lib.answers(
            session_lib.restoring(prefix), outputs, feeds, limits
        )

    def publish(self, folder: str, target: str) -> None:
        """See `Format.publish`."""
        writer.publish(folder, target)

    def present(self, target: str) -> str:
        """See `Format.present`."""
        return f'{target}.index'
