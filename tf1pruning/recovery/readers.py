"""What the layers behind groups read on data, for criteria that look at readers.

Some layers have too many inputs (taps of a convolution, positions of a flattened image)
for a Gram matrix, or for the rows that the data has. There the inputs that belong to a
channel are taken together: the moments are those of the channels.
"""

from __future__ import annotations

import math
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.algebra.elimination import Reader
from tf1pruning.algebra.moments import Moments
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.choosing.scores import judging_places
from tf1pruning.clock import Clock, Listener
from tf1pruning.errors import DataError, GraphError
from tf1pruning.graph import frames
from tf1pruning.names import TensorRef
from tf1pruning.recovery import channel_regression, geometry
from tf1pruning.recovery.layers import Layer, layers_of
from tf1pruning.recovery.readings import BYTES_PER_ENTRY, Reading, Values
from tf1pruning.recovery.rows import Rows
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batch, Batches
from tf1pruning.scoring.network import ConstantNetwork
from tf1pruning.scoring.run import SCORING
from tf1pruning.scoring.runnable import Runnable
from tf1pruning.sessions import Session

# The most inputs of a Gram matrix.
_INPUTS = 2048
# Bytes that the moments and the tensors of one pass may take.
_MEMORY = 1 << 29
# Rows where the inputs of a channel are taken together: so many for each channel, and
# at least so many.
_ROWS_PER_CHANNEL = 20
_FEWEST_ROWS = 1 << 14


class _Behind(NamedTuple):
    """A layer that reads channels of groups.

    Attributes:
      layer: of the unpruned network.
      positions: group -> `[width, entries]` along the kernel's input axis.
    """

    layer: Layer
    positions: Mapping[str, np.ndarray]

    @property
    def refs(self) -> Tuple[TensorRef, TensorRef]:
        """What it reads and makes."""
        return self.layer.x, self.layer.y

    def entries(self, group: str) -> np.ndarray:
        """`[width, taps * entries]` inputs of the layer's regression."""
        taps = np.arange(self.layer.kernel.taps) * self.layer.width
        positions = self.positions[group]
        return np.add.outer(positions, taps).reshape(len(positions), -1)

    def members(self, group: str) -> np.ndarray:
        """`[width, 1]` which of the channels of the layer are those of a group."""
        channel = np.empty(self.layer.width, np.int64)
        assert self.layer.entries is not None, 'each channel has as many positions'
        for number, positions in enumerate(self.layer.entries):
            channel[positions] = number
        return channel[self.positions[group][:, :1]]


def readers_of(
    trace: Trace,
    groups: Sequence[Group],
    runnable: Runnable,
    arrays: Mapping[str, np.ndarray],
    batches: Batches,
    seed: int = 0,
    progress: Optional[Listener] = None,
) -> Dict[str, List[Reader]]:
    """The readers of each group, in the unpruned network.

    Behind a depthwise layer stand the same channels, so it is no reader. Of a group
    whose readers cannot be observed, such as those in a loop, the filters that make it
    stand in: as if each were an input of its own.

    Args:
      trace: of the network.
      groups: those that are asked for.
      runnable: the network, or its loss.
      arrays: variable node -> array.
      batches: the data.
      seed: of the choice of pixels where there are many.
      progress: called after each batch of each pass.

    Raises:
      GraphError: if what runs has nothing of a group.
      DataError: if the data does not fit the inputs, or its examples differ in size.
    """
    gatherer = _Gatherer(runnable, arrays, batches, seed)
    behind = _layers_behind(trace, groups, runnable)
    found: Dict[str, List[Reader]] = {group.name: [] for group in groups}
    with gatherer.session:
        parts = gatherer.parts(behind)
        total = batches.count and batches.count * len(parts)
        clock = Clock(progress, SCORING, total)
        for part in parts:
            for name, readers in gatherer.gather(part, clock):
                found[name] += readers
        for group in groups:
            if not found[group.name]:
                found[group.name].append(gatherer.stand_in(trace, group))
    return found


def _layers_behind(
    trace: Trace, groups: Sequence[Group], runnable: Runnable
) -> List[_Behind]:
    """The layers that read groups and run outside of loops and branches."""
    view = runnable.model.view()
    inside = frames.nodes_inside(runnable.model.graph_def)
    found = []
    for layer in layers_of(trace, np.zeros(trace.count, bool)).values():
        kernel = layer.kernel
        here = kernel.node in view and kernel.source in view
        if kernel.depthwise or kernel.share < 1 or not here or kernel.node in inside:
            continue
        channels = trace.weights[kernel.source][kernel.in_axis]
        positions = {
            group.name: np.stack(
                [np.flatnonzero(channels == c) for c in group.channels]
            )
            for group in groups
            if np.isin(group.channels[0], channels)
        }
        if positions:
            found.append(_Behind(layer, positions))
    return found


class _Gatherer:
    """Runs a network and gathers the moments of layers, part by part."""

    def __init__(
        self,
        runnable: Runnable,
        arrays: Mapping[str, np.ndarray],
        batches: Batches,
        seed: int,
    ):
        self._runnable, self._batches = runnable, batches
        self._network = ConstantNetwork(runnable, arrays)
        self._generator = np.random.RandomState(seed)
        self.session = Session(self._network.graph, runnable.limits, optimize=True)

    def parts(self, behind: Sequence[_Behind]) -> List[List[_Behind]]:
        """Layers that are gathered in one pass each, as far as memory goes."""
        first = next(iter(self._batches.start()), None)
        if first is None or not behind:
            return []
        with self._network.graph.as_default():
            shapes = {r: tf.shape(self._tensor(r)) for b in behind for r in b.refs}
        values = self._run(shapes, first)
        found: List[List[_Behind]] = []
        left = 0.0
        for each in behind:
            pixels = sum(4.0 * np.prod(values[ref], dtype=float) for ref in each.refs)
            inputs = min(each.layer.width * each.layer.kernel.taps, _INPUTS)
            size = pixels + BYTES_PER_ENTRY * inputs**2
            if not found or size > left:
                found.append([])
                left = _MEMORY
            found[-1].append(each)
            left -= size
        return found

    def gather(
        self, part: Sequence[_Behind], clock: Clock
    ) -> List[Tuple[str, List[Reader]]]:
        """Pairs of a group and its readers, from one pass over the data."""
        tensors = {ref: self._tensor(ref) for each in part for ref in each.refs}
        kernels = {
            ref: self._tensor(ref)
            for ref in (TensorRef(each.layer.kernel.source, 0) for each in part)
        }
        gathered: List[Union[_Whole, _ByChannel]] = []
        expected: Dict[TensorRef, Tuple[int, ...]] = {}
        for number, batch in enumerate(self._batches.start()):
            values = self._run(tensors if number else {**tensors, **kernels}, batch)
            sizes = {ref: values[ref].shape[1:] for ref in tensors}
            if not number:
                gathered, expected = self._understood(part, values), sizes
            elif sizes != expected:
                raise DataError(
                    f'Batch {number + 1} has examples of other sizes than the first. '
                    'Give examples of one size.'
                )
            for each in gathered:
                each.add(values, self._generator)
            clock.tick()
        return [pair for each in gathered for pair in each.readers()]

    def stand_in(self, trace: Trace, group: Group) -> Reader:
        """The filters of a group, as the kernel of independent inputs."""
        place = judging_places(group, trace)[0]
        nodes = {key: node for node, key in trace.keys().items()}
        node = nodes[place.variable]
        if node not in self._runnable.model.view():
            raise GraphError(
                f'What runs on the data has nothing of group {group.name!r}. Leave the '
                'group out, or name another loss.'
            )
        array = self.session.run(self._tensor(TensorRef(node, 0)))
        filters = np.moveaxis(array, place.axis, 0)[place.positions]
        kernel = filters.reshape(group.width, -1)
        gram = np.eye(group.width)
        weight = _weight(gram[np.newaxis], kernel[np.newaxis])
        return Reader(gram, kernel, np.arange(group.width)[:, np.newaxis], weight)

    def _understood(
        self, part: Sequence[_Behind], values: Values
    ) -> List[Union[_Whole, _ByChannel]]:
        """The layers whose rows and kernels give what they make."""
        count = self._batches.count or 1
        found: List[Union[_Whole, _ByChannel]] = []
        for behind in part:
            layer = behind.layer
            kernel = values[TensorRef(layer.kernel.source, 0)]
            memory = BYTES_PER_ENTRY * _INPUTS**2
            reading = Reading(layer, layer.x, kernel, values, count, memory)
            if not reading.is_understood(values):
                continue
            if reading.channels is not None:
                examples = count * len(values[layer.x])
                found.append(_ByChannel(behind, reading.form.weights(kernel), examples))
            elif reading.is_whole:
                found.append(_Whole(behind, reading.form.weights(kernel), reading))
        return found

    def _tensor(self, ref: TensorRef) -> tf.Tensor:
        """A tensor; in 32 bits if it has fewer."""
        tensor = self._network.graph.get_tensor_by_name(str(ref))
        if tensor.dtype not in (tf.float16, tf.bfloat16):
            return tensor
        with self._network.graph.as_default():
            return tf.cast(tensor, tf.float32)

    def _run(
        self, tensors: Mapping[TensorRef, tf.Tensor], batch: Batch
    ) -> Dict[TensorRef, np.ndarray]:
        feeds, _ = running.feeds_of(self._runnable, batch)
        return self._network.run(self.session, tensors, feeds)


class _Whole:
    """The moments of all inputs of a layer."""

    def __init__(self, behind: _Behind, kernels: np.ndarray, reading: Reading):
        self._behind, self._kernels, self._reading = behind, kernels, reading
        self._rows = Rows([reading])

    def add(self, values: Values, generator: np.random.RandomState) -> None:
        """Adds a batch."""
        self._rows.add(values, False, generator)

    def readers(self) -> List[Tuple[str, List[Reader]]]:
        """Pairs of a group and one reader for each group of the convolution."""
        self._rows.hand_over()
        grams = self._reading.equations(False).counted.gram
        weight = _weight(grams, self._kernels)
        found = []
        for name in self._behind.positions:
            entries = self._behind.entries(name)
            pairs = zip(grams, self._kernels)
            found.append((name, [Reader(g, k, entries, weight) for g, k in pairs]))
        return found


class _ByChannel:
    """The moments of the channels that a layer reads; each position gives a row."""

    def __init__(self, behind: _Behind, kernels: np.ndarray, examples: int):
        layer = behind.layer
        assert layer.entries is not None, 'each channel has as many positions'
        self._behind, self._entries = behind, layer.entries
        by_tap = kernels[0].reshape(layer.kernel.taps, layer.width, -1)
        by_channel = by_tap[:, self._entries].swapaxes(0, 1)
        self._kernel = by_channel.reshape(len(self._entries), -1)
        wanted = max(_ROWS_PER_CHANNEL * len(self._entries), _FEWEST_ROWS)
        self._pixels = math.ceil(wanted / examples)
        self._moments = Moments(1)

    def add(self, values: Values, generator: np.random.RandomState) -> None:
        """Adds a batch."""
        images = self._behind.layer.images(values[self._behind.layer.x])
        pixels = geometry.some_pixels(images.shape[1], self._pixels, generator)
        rows = channel_regression.rows(images[:, pixels], self._entries)
        self._moments.add(rows, [rows[:, :, :0]])

    def readers(self) -> List[Tuple[str, List[Reader]]]:
        """Pairs of a group and its reader."""
        moments = self._moments.regression(0)
        if self._behind.layer.target is None:
            moments = moments.about_zero()
        gram, kernel = moments.gram[0], self._kernel
        weight = _weight(moments.gram, kernel[np.newaxis])
        return [
            (name, [Reader(gram, kernel, self._behind.members(name), weight)])
            for name in self._behind.positions
        ]


def _weight(grams: np.ndarray, kernels: np.ndarray) -> float:
    """One over the variance of what a layer makes; 0 if it never varies."""
    variance = float(np.einsum('sio,sio->', np.matmul(grams, kernels), kernels))
    return 1 / variance if variance > 0 else 0.0
