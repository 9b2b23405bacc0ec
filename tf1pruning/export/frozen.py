"""Format `pb`: a frozen graph, one GraphDef without variables."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError, VerificationError
from tf1pruning.export.format import Format, Network
from tf1pruning.graph.meta_graphs import saved_model
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.surgery import verify


class FrozenFormat(Format):
    """`stripped.pb`."""

    name = 'pb'
    file = 'stripped.pb'
    is_frozen = True

    def write(self, folder: str, network: Network, target: str) -> None:
        """See `Format.write`."""
        with open(os.path.join(folder, self.file), 'wb') as file:
            file.write(network.frozen.SerializeToString())

    def answers(
        self,
        folder: str,
        outputs: Sequence[str],
        feeds: Mapping[str, np.ndarray],
        limits: RunLimits = STRICT,
    ) -> List[np.ndarray]:
        """Reads the graph and runs it."""
        return verify.run(self._read(folder), outputs, feeds, limits)

    def holds(self, folder: str, ran: str) -> bool:
        """See `Format.holds`."""
        return verify.digest(self._read(folder)) == ran

    def _read(self, folder: str) -> tf.GraphDef:
        try:
            path = os.path.join(folder, self.file)
            return saved_model.read_frozen(path).graph_def
        except GraphError as error:
            raise VerificationError(
                f'The frozen graph does not load: {error}'
            ) from error
