"""What layers of the unpruned network read, gathered once: for any choice of channels.

What a layer reads without some channels is a part of what it reads with all of them,
as long as nothing before it changes. So the moments of all inputs serve every choice.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.names import TensorRef
from tf1pruning.recovery import rows
from tf1pruning.recovery.depths import Depths
from tf1pruning.recovery.layers import Layer
from tf1pruning.recovery.layerwise import RepairOptions
from tf1pruning.recovery.passes import Passes
from tf1pruning.recovery.readings import Reading
from tf1pruning.recovery.store import Disk, Store
from tf1pruning.recovery.twins import Twins
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import RunLimits


def gather(
    graph: InferenceGraph,
    frozen: tf.GraphDef,
    layers: Mapping[str, Layer],
    arrays: Mapping[str, np.ndarray],
    fit: Batches,
    held_out: Batches,
    options: RepairOptions,
    limits: RunLimits,
    disk: Disk,
    store: Store,
) -> Dict[str, Reading]:
    """Layer node -> what it reads, of those that can be repaired and are understood.

    Args:
      graph: of the network, for the names of its inputs.
      frozen: the network.
      layers: by node, with all of their channels.
      arrays: weight node -> array.
      fit: samples to fit.
      held_out: samples to choose by.
      options: of the repair.
      limits: of the runs.
      disk: counts the bytes of temporary files.
      store: keeps the moments.

    Raises:
      DataError: if the samples do not fit the network, or are too few.
      OutputError: if temporary files cannot be written.
    """
    network = Twins(frozen, {})
    repairable = {
        name: layer
        for name, layer in layers.items()
        if not layer.why_not(arrays, network.inside)
    }
    depths = Depths(network, repairable, _refs(repairable.values()))
    generator = np.random.RandomState(options.seed)
    cuts = Store(disk)
    found: Dict[str, Reading] = {}
    try:
        stages = depths.stages()
        if stages:
            passes = Passes(graph, network, fit, held_out, limits, cuts)
        for stage in stages:
            chosen = [repairable[name] for name in stage]
            memory = options.memory // len(stage)
            readings = _readings(chosen, passes, arrays, memory)
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
