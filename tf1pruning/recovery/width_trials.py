"""The change of the answers when channels of a group go and its readers are repaired.

Only the layers that read the group are solved for, from moments of the unpruned network
that were gathered once. Depthwise layers need none: their other channels stay as they
are.
"""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping

import numpy as np

from tf1pruning.channels.trace_result import Kernel
from tf1pruning.recovery import gathering, solving
from tf1pruning.recovery.layers import layers_of
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.recovery.readings import Reading
from tf1pruning.recovery.store import Disk, Store
from tf1pruning.recovery.trials import Trials
from tf1pruning.recovery.unpruned import Seen, Unpruned
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import STRICT, RunLimits


class WidthTrials:
    """A network from which channels of one group go, for a while.

    Args:
      unpruned: the network.
      channels: of the trace, of all groups that will be tried.
      samples: to fit and to choose by.
      judged: samples on which the answers are compared.
      options: of the repair.
      limits: of the runs.

    Raises:
      DataError: if the samples do not fit the network, or are too few, or no output has
        a scale.
      GraphError: if the network is not safe to run, or runs too long.
      OutputError: if temporary files cannot be written.
    """

    def __init__(
        self,
        unpruned: Unpruned,
        channels: np.ndarray,
        samples: Seen,
        judged: Batches,
        options: RepairOptions,
        limits: RunLimits = STRICT,
    ):
        self._trace, self._arrays = unpruned.trace, unpruned.arrays
        self._carriers, trace = unpruned.carriers, unpruned.trace
        disk = Disk(options.disk)
        self._stores = Store(disk), Store(disk)
        self._readers: List[List[Reading]] = []
        try:
            self._trials = Trials(
                trace.model, unpruned.frozen, judged, limits, self._stores[0]
            )
            layers = {
                name: layer
                for name, layer in layers_of(trace, np.zeros(trace.count, bool)).items()
                if not layer.kernel.depthwise and self._reads(layer.kernel, channels)
            }
            self._readings = gathering.gather(
                unpruned, layers, samples, options, limits, self._stores[1]
            )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the session, and frees the files."""
        trials = getattr(self, '_trials', None)
        if trials is not None:
            trials.close()
        for store in self._stores:
            store.close()

    def start(self, channels: np.ndarray, weights: Collection[str]) -> None:
        """Prepares trials of one group.

        Args:
          channels: of the group.
          weights: nodes of the weights in which they live.
        """
        readers: Dict[str, List[Reading]] = {}
        for reading in self._readings.values():
            if self._reads(reading.layer.kernel, channels):
                readers.setdefault(reading.layer.kernel.source, []).append(reading)
        self._readers = list(readers.values())
        targets = [r.layer.target for readings in self._readers for r in readings]
        found = [target.source for target in targets if target is not None]
        self._trials.start({*weights, *readers, *found})

    def change(self, gone: np.ndarray, pruned: Mapping[str, np.ndarray]) -> float:
        """The change of the output that changes most, after the repair.

        Args:
          gone: `[channels]` whether each channel of the trace goes; of the group.
          pruned: weight node -> array with zeros at the cuts.
        """
        changed = dict(pruned)

        def array(name: str) -> np.ndarray:
            return changed[name] if name in changed else self._arrays[name]

        for readings in self._readers:
            parts = [r.part(r.layer.without(self._trace, gone)) for r in readings]
            changed.update(solving.solve(parts, array, self._carriers).arrays)
        return self._trials.change(changed)

    def _reads(self, kernel: Kernel, channels: np.ndarray) -> bool:
        """Whether a kernel reads some of the channels."""
        axis = self._trace.weights[kernel.source][kernel.in_axis]
        return bool(np.isin(axis, channels).any())
