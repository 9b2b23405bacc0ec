"""Frozen graph: one GraphDef without variables."""

from __future__ import annotations

import os
from typing import List, Mapping, Sequence

import numpy as np

from tf1pruning.errors import GraphError, VerificationError
from tf1pruning.export.network import Network
from tf1pruning.graph import saved_model
from tf1pruning.surgery import verify

NAME = 'stripped.pb'


def write(folder: str, network: Network) -> None:
    """Writes `stripped.pb`."""
    with open(os.path.join(folder, NAME), 'wb') as file:
        file.write(network.frozen.SerializeToString())


def answers(
    folder: str, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> List[np.ndarray]:
    """Reads the graph and runs it.

    Raises:
      VerificationError: if that fails.
    """
    try:
        graph = saved_model.read_frozen(os.path.join(folder, NAME))
    except GraphError as error:
        raise VerificationError(f'The frozen graph does not load: {error}') from error
    return verify.run(graph.graph_def, outputs, feeds)
