"""Format `pb`: a frozen graph, one GraphDef without variables."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence

import numpy as np

from tf1pruning.errors import GraphError, VerificationError
from tf1pruning.export.format import Format, Network
from tf1pruning.graph import saved_model
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
        try:
            graph = saved_model.read_frozen(os.path.join(folder, self.file))
        except GraphError as error:
            raise VerificationError(
                f'The frozen graph does not load: {error}'
            ) from error
        return verify.run(graph.graph_def, outputs, feeds, limits)
