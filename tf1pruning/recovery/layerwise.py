"""Repair, layer after layer, by least squares.

Each layer behind a cut is fitted to what it made in the unpruned network, from what it
reads in the network as it is repaired so far: sequential, asymmetric least squares, as
in channel pruning (He et al., arXiv 1707.06168, section 3.2) and ThiNet (Luo et al.,
arXiv 1707.06342). The intercept goes into the bias or the moving mean behind the layer.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import (
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy as np

from tf1pruning.algebra.least_squares import Fit
from tf1pruning.clock import Clock, Listener
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef
from tf1pruning.recovery import depths, goals, rows, solving
from tf1pruning.recovery.depths import Depths
from tf1pruning.recovery.goals import Goal
from tf1pruning.recovery.layers import Layer, layers_of
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.recovery.passes import Passes
from tf1pruning.recovery.readings import Reading, Values
from tf1pruning.recovery.similarity import decibels
from tf1pruning.recovery.solving import Solved
from tf1pruning.recovery.store import Disk, Store
from tf1pruning.recovery.twins import Twins
from tf1pruning.recovery.unpruned import Seen, Unpruned
from tf1pruning.sessions import STRICT, RunLimits

# What a layer needs at least, in dB, to be worth a repair: below is rounding.
_EXACT = 55.0

# How often layers before a ReLU are fitted to what it does not cut off.
_ROUNDS = 3

NONE = 'none'


@dataclasses.dataclass(frozen=True)
class LayerRepair:
    """What became of a layer.

    Attributes:
      layer: its node.
      method: 'least squares', 'channels' (a regression of the channels that it reads,
        see `channel_regression`) or 'none'.
      before: signal to noise of what it makes, in dB, on the samples that choose,
        before its own repair: the layers before it are repaired. None: not measured.
      after: the same, after it; what a ReLU behind the layer cuts off does not count.
      note: what is to be said of it; '' if nothing is.
    """

    layer: str
    method: str
    before: Optional[float]
    after: Optional[float]
    note: str = ''


@dataclasses.dataclass(frozen=True, eq=False)
class LayerwiseRepair:
    """Weights of a repaired network.

    Attributes:
      arrays: weight node -> array, of those that changed.
      layers: what became of each layer behind a cut, in their order.
      disk: the most bytes that temporary files took.
    """

    arrays: Dict[str, np.ndarray]
    layers: Tuple[LayerRepair, ...]
    disk: int


def repair(
    unpruned: Unpruned,
    pruned: Mapping[str, np.ndarray],
    gone: np.ndarray,
    samples: Seen,
    options: RepairOptions = RepairOptions(),
    limits: RunLimits = STRICT,
    progress: Optional[Listener] = None,
) -> LayerwiseRepair:
    """Repairs a soft-pruned network.

    Args:
      unpruned: the network before.
      pruned: weight node -> array with zeros at the cuts.
      gone: `[channels]` whether each channel of the trace goes.
      samples: to fit and to choose by.
      options: how.
      limits: of the runs.
      progress: called after each pass.

    Raises:
      DataError: if the samples do not fit the network, or are too few.
      GraphError: if the network runs too long.
      OutputError: if temporary files cannot be written.
    """
    job = _Job(unpruned, pruned, gone, options)
    disk = Disk(options.disk)
    store = Store(disk)
    try:
        if job.stages:
            graph = unpruned.trace.model
            passes = Passes(graph, job.twins, samples, limits, store)
        clock = Clock(progress, 'repair, pass', len(job.stages))
        for stage in job.stages:
            job.repair(stage, passes, disk)
            clock.tick()
    finally:
        store.close()
    return LayerwiseRepair(job.changed, job.report(), disk.peak)


class _Job:
    """The state of a repair: both networks, and readings that wait for others.

    Attributes:
      twins: both networks.
      stages: the layers to repair, pass by pass.
      changed: weight node -> its array, of those that were repaired.
    """

    def __init__(
        self,
        unpruned: Unpruned,
        pruned: Mapping[str, np.ndarray],
        gone: np.ndarray,
        options: RepairOptions,
    ):
        trace, arrays = unpruned.trace, unpruned.arrays
        self._original, self._pruned = arrays, pruned
        self._carriers, self._options = unpruned.carriers, options
        self._reports: Dict[str, LayerRepair] = {}
        self.changed: Dict[str, np.ndarray] = {}
        everything = layers_of(trace, gone)
        affected, touched = _affected(trace.model.view(), everything, arrays, pruned)
        self.twins = Twins(
            unpruned.frozen, {name: self._array(name) for name in touched}
        )
        self._layers = {
            n: everything[n] for n in affected if self._is_repairable(everything[n])
        }
        self._uses = collections.Counter(
            layer.kernel.source for layer in self._layers.values()
        )
        self._waiting: Dict[str, List[Reading]] = {}
        view, outputs = self.twins.view(), trace.model.outputs
        on_input = depths.moving(view)
        self._behind = {
            name: goals.find(view, layer, outputs, on_input)
            for name, layer in self._layers.items()
        }
        wanted = [ref for layer in self._layers.values() for ref in self._refs(layer)]
        self._depths = Depths(self.twins, self._layers, wanted)
        self.stages = self._depths.stages()
        self._generator = np.random.RandomState(options.seed)

    def _array(self, name: str) -> np.ndarray:
        """A weight of the pruned network, as it is repaired so far."""
        for known in (self.changed, self._pruned):
            if name in known:
                return known[name]
        return self._original[name]

    def _refs(self, layer: Layer) -> List[TensorRef]:
        """What a pass fetches for a layer."""
        behind = self._behind[layer.kernel.node]
        read = [] if behind is None else [behind.line, behind.end]
        wanted = [layer.x, layer.y, *read]
        return [*wanted, *map(self.twins.twin, wanted)]

    def _is_repairable(self, layer: Layer) -> bool:
        """Whether a layer can be repaired; notes why not."""
        reason = layer.why_not(self._original, self.twins.inside)
        if reason:
            self._note(layer, NONE, None, None, reason)
        return not reason

    def _note(
        self,
        layer: Layer,
        method: str,
        before: Optional[float],
        after: Optional[float],
        note: str,
    ) -> None:
        node = layer.kernel.node
        self._reports[node] = LayerRepair(node, method, before, after, note)

    def report(self) -> Tuple[LayerRepair, ...]:
        """What became of each layer, in the order of the graph."""
        nodes = [node.name for node in self.twins.view()]
        return tuple(self._reports[name] for name in nodes if name in self._reports)

    def repair(self, stage: Sequence[str], passes: Passes, disk: Disk) -> None:
        """Repairs layers of one depth, in a pass over the samples."""
        layers = [self._layers[name] for name in stage]
        wanted = [ref for layer in layers for ref in self._refs(layer)]
        readings = self._readings(layers, passes.first(wanted), passes.fitted)
        depth, store = self._depths.of(stage[0]), Store(disk)
        wanted = [ref for reading in readings for ref in reading.refs]
        try:
            steps = passes.run(wanted, self._depths.alive(depth))
            rows.gather(readings, steps, self._generator, store)
            for reading in readings:
                self._collect(reading, passes)
        finally:
            store.close()

    def _readings(
        self, layers: Sequence[Layer], values: Values, batches: int
    ) -> List[Reading]:
        """The layers whose rows are understood; the others stay."""
        found = []
        for layer in layers:
            source = layer.kernel.source
            kernel = self._original[source]
            x = self.twins.twin(layer.x)
            memory = self._options.memory // len(layers)
            reading = Reading(layer, x, kernel, values, batches, memory)
            if not reading.is_understood(values):
                reason = 'how it reads its input is not understood'
            elif not (reading.is_whole or reading.channels):
                reason = f'its moments would take {reading.bytes / 1e9:.1f} GB'
            else:
                reading.goal = self._goal(reading, values)
                found.append(reading)
                continue
            self._uses[source] -= 1
            self._note(layer, NONE, None, None, reason)
        return found

    def _goal(self, reading: Reading, values: Values) -> Optional[Goal]:
        """What a layer should make; a kernel that serves others, too, what it made."""
        layer = reading.layer
        source, behind = layer.kernel.source, self._behind[layer.kernel.node]
        if behind is None or self._uses[source] > 1 or source in self._carriers:
            return None
        now = layer.y, behind.end
        depth = self._depths.of(layer.kernel.node)
        if all(self._depths.is_repaired(ref, depth) for ref in behind.others):
            now = self.twins.twin(layer.y), self.twins.twin(behind.end)
        elif behind.most is None:
            return None
        return goals.goal(behind, layer, reading.form, values, now)

    def _collect(self, reading: Reading, passes: Passes) -> None:
        """Repairs a kernel once all layers that share it are read."""
        source = reading.layer.kernel.source
        waiting = self._waiting.setdefault(source, [])
        waiting.append(reading)
        if len(waiting) < self._uses[source]:
            return
        del self._waiting[source]
        solved = self._solve(waiting)
        if len(waiting) == 1:
            self._refine(reading, solved)
        first = waiting[0].layer.kernel.node
        if self._depths.of(first) < self._depths.of(reading.layer.kernel.node):
            passes.forget(self.twins.behind(source))

    def _refine(self, reading: Reading, solved: Solved) -> None:
        """Repairs a layer again, for what the ReLU behind it lets pass."""
        for _ in range(_ROUNDS):
            if not solved.arrays:
                return
            weights, intercepts = solved.fit.weights, solved.fit.intercepts
            refined = reading.refined(weights, intercepts[0])
            if refined is None:
                return
            reading, solved = refined, self._solve([refined])

    def _solve(self, readings: Sequence[Reading]) -> Solved:
        """Gives a kernel, and what is behind its layers, the weights that fit best."""
        solved = solving.solve(readings, self._array, self._carriers)
        for reading in readings:
            self._report(reading.layer, solved.method, solved.fit)
        if solved.arrays:
            self.changed.update(solved.arrays)
            self.twins.set_constants(solved.arrays)
        return solved

    def _report(self, layer: Layer, method: str, found: Fit) -> None:
        before, after = decibels(found.prior_error), decibels(found.error)
        known = self._reports.get(layer.kernel.node)
        if known is not None:
            if found.helps:
                self._note(layer, known.method, known.before, after, known.note)
            return
        notes = [] if layer.target else ['nothing behind it takes up an intercept']
        if not found.helps:
            method, after = NONE, before
            helped = 'the samples that choose fit better without a repair'
            notes.append(helped if before < _EXACT else 'nothing to make up for')
        self._note(layer, method, before, after, '; '.join(notes))


def _affected(
    view: view_lib.GraphView,
    layers: Mapping[str, Layer],
    arrays: Mapping[str, np.ndarray],
    pruned: Mapping[str, np.ndarray],
) -> Tuple[List[str], Set[str]]:
    """The layers behind a cut, and the weights that a cut or a repair changes."""
    touched = {n for n, array in pruned.items() if not np.array_equal(array, arrays[n])}
    affected: Set[str] = set()
    while True:
        behind = {edge.node.name for edge in view.edges_behind(touched)}
        found = {
            name
            for name, layer in layers.items()
            if layer.loses_inputs or layer.x.node in behind
        }
        if found == affected:
            return [name for name in layers if name in affected], touched
        affected = found
        for layer in (layers[name] for name in affected):
            sources = [layer.kernel.source]
            sources += [layer.target.source] if layer.target is not None else []
            touched.update(name for name in sources if name in arrays)
