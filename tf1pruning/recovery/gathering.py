"""What layers of the unpruned network read, gathered once: for any choice of channels.

What a layer reads without some channels is a part of what it reads with all of them,
as long as nothing before it changes. So the moments of all inputs serve every choice.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Sequence

import numpy as np

from tf1pruning.names import TensorRef
from tf1pruning.recovery import rows
from tf1pruning.recovery.depths import Depths
from tf1pruning.recovery.layers import Layer
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.recovery.passes import Passes
from tf1pruning.recovery.readings import Reading
from tf1pruning.recovery.store import Store
from tf1pruning.recovery.twins import Twins
from tf1pruning.recovery.unpruned import Seen, Unpruned
from tf1pruning.sessions import RunLimits


def gather(
    unpruned: Unpruned,
    layers: Mapping[str, Layer],
    samples: Seen,
    options: RepairOptions,
    limits: RunLimits,
    store: Store,
) -> Dict[str, Reading]:
    """Layer node -> what it reads, of those that can be repaired and are understood.

    Args:
      unpruned: the network.
      layers: by node, with all of their channels.
      samples: to fit and to choose by.
      options: of the repair.
      limits: of the runs.
      store: keeps the moments.

    Raises:
      DataError: if the samples do not fit the network, or are too few.
      OutputError: if temporary files cannot be written.
    """
    network = Twins(unpruned.frozen, {})
    repairable = {
        name: layer
        for name, layer in layers.items()
        if not layer.why_not(unpruned.arrays, network.inside)
    }
    depths = Depths(network, repairable, _refs(repairable.values()))
    generator = np.random.RandomState(options.seed)
    cuts = Store(store.disk)
    found: Dict[str, Reading] = {}
    try:
        stages = depths.stages()
        if stages:
            passes = Passes(unpruned.trace.model, network, samples, limits, cuts)
        for stage in stages:
            chosen = [repairable[name] for name in stage]
            memory = options.memory // len(stage)
            readings = _readings(chosen, passes, unpruned.arrays, memory)
            wanted = [ref for reading in readings for ref in reading.refs]
            alive = depths.alive(depths.of(stage[0]))
            rows.gather(readings, passes.run(wanted, alive), generator)
            for reading in readings:
                reading.moved(store.mapped)
                found[reading.layer.kernel.node] = reading
    finally:
        cuts.close()
    return found


def _refs(layers: Iterable[Layer]) -> List[TensorRef]:
    return [ref for layer in layers for ref in (layer.x, layer.y)]


def _readings(
    layers: Sequence[Layer],
    passes: Passes,
    arrays: Mapping[str, np.ndarray],
    memory: int,
) -> List[Reading]:
    """The readings of layers of one depth that are understood, without rows."""
    values = passes.first(_refs(layers))
    readings = [
        Reading(
            layer, layer.x, arrays[layer.kernel.source], values, passes.fitted, memory
        )
        for layer in layers
    ]
    return [
        reading
        for reading in readings
        if reading.is_understood(values) and (reading.is_whole or reading.channels)
    ]
