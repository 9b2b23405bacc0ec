"""Groups: the channels that share their places.

A *place* is an axis of a variable along which a channel has entries. Channels with the
same places, with the same number of entries at each, form a group, such as the inner
channels of one inverted-residual block.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tf1pruning import names
from tf1pruning.channels import blocks
from tf1pruning.channels.labels import FIXED
from tf1pruning.channels.trace_result import CONSUMER, PRODUCER, ROLES, Kernel, Trace


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """An axis of a weight and where on it the channels of a group lie.

    Attributes:
      variable: checkpoint key (or name of the Const node) of the weight.
      axis: axis of the weight.
      size: length of that axis; groups may share it.
      role: what the axis does, see `trace_result.Use`.
      positions: `[width, entries]` positions on the axis of each channel.
      is_kept: whether no zeros are written here: the weight is a constant beside
        variables, or zeros would not make what is computed of it zero.
    """

    variable: str
    axis: int
    size: int
    role: str
    positions: np.ndarray
    is_kept: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Channels that live in the same places.

    Attributes:
      name: unique in the model.
      kind: see `blocks`.
      channels: `[width]` as the trace counts them, in the order of the first
        producer's axis.
      places: in graph order.
      kernels: nodes of the layers that make or read the channels.
      reasons: why the group may not be cut; empty if it may.
    """

    name: str
    kind: str
    channels: np.ndarray
    places: Tuple[Place, ...]
    kernels: Tuple[str, ...]
    reasons: Tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def frozen(self) -> bool:
        """Whether no channel may go."""
        return bool(self.reasons)

    @property
    def producer(self) -> Place:
        """The place where the channels are made first."""
        return next(place for place in self.places if place.role == PRODUCER)

    def in_scope(self, scope: str) -> bool:
        """Whether the group belongs to a scope, by its name or its first producer."""
        return names.in_scope(self.producer.variable, scope) or names.in_scope(
            self.name, scope
        )


def find_groups(trace: Trace) -> Tuple[Group, ...]:
    """All groups of a model that have a producer, in graph order."""
    places = _used_places(trace)
    signature = _signatures(trace, places)
    builder = _Builder(trace, places, signature)
    found = [builder.build(n, c) for n, c in _channels_by(signature)]
    ordered = sorted((g for g in found if g is not None), key=builder.order)
    return _with_unique_names(ordered)


class _UsedPlace(NamedTuple):
    """An axis of a weight; `vector` are the bytes of its `channels`."""

    source: str
    axis: int
    role: str
    is_kept: bool
    channels: np.ndarray
    vector: bytes


def _used_places(trace: Trace) -> List[_UsedPlace]:
    """Every (weight, axis) that an op reads, in graph order, with its foremost role."""
    roles: Dict[Tuple[str, int], str] = {}
    kept = {(use.source, use.axis) for use in trace.uses if use.is_kept}
    for use in trace.uses:
        key = (use.source, use.axis)
        roles[key] = min(roles.get(key, use.role), use.role, key=ROLES.index)
    found = []
    for (source, axis), role in roles.items():
        channels, is_kept = trace.weights[source][axis], (source, axis) in kept
        vector = channels.tobytes()
        found.append(_UsedPlace(source, axis, role, is_kept, channels, vector))
    return found


def _signatures(trace: Trace, places: Sequence[_UsedPlace]) -> np.ndarray:
    """Per channel a number that two channels share iff they have the same places.

    Partition refinement: each place splits the channels that it holds from the rest,
    by the number of entries. Channels without places keep the signature -1.
    """
    signature = np.full(trace.count, -1, np.int64)
    numbers: Dict[Tuple[str, ...], int] = {}
    for channel, reasons in trace.frozen.items():
        signature[channel] = -2 - numbers.setdefault(reasons, len(numbers))
    following = 0
    # A vector that was seen before (two variables of a batch norm) splits nothing more.
    for place in _distinct(places):
        members, entries = np.unique(place.channels, return_counts=True)
        pairs = signature[members] * (entries.max(initial=0) + 1) + entries
        _, inverse = np.unique(pairs, return_inverse=True)
        signature[members] = following + inverse
        following += len(members)
    for part in trace.parts:
        # Each group keeps a channel, so a part that is a whole group never gets empty.
        members = np.unique(part.labels)
        members = members[signature[members] >= 0]
        _, inverse = np.unique(signature[members], return_inverse=True)
        signature[members] = following + inverse
        following += len(members)
    signature[FIXED] = -1
    signature[signature < 0] = -1
    return signature


def _distinct(places: Sequence[_UsedPlace]) -> Iterable[_UsedPlace]:
    """The first place of each vector of channels."""
    by_vector = {place.vector: place for place in reversed(places)}
    return reversed(list(by_vector.values()))


def _channels_by(signature: np.ndarray) -> Iterable[Tuple[int, np.ndarray]]:
    """Pairs of a signature and the channels that have it."""
    members = np.flatnonzero(signature >= 0)
    order = members[np.argsort(signature[members], kind='stable')]
    starts = np.flatnonzero(np.diff(signature[order])) + 1
    for channels in np.split(order, starts):
        if channels.size:
            yield int(signature[channels[0]]), channels


class _Builder:
    """Builds groups; holds the indexes that all of them need."""

    def __init__(
        self, trace: Trace, places: Sequence[_UsedPlace], signature: np.ndarray
    ):
        self._trace = trace
        self._keys = trace.keys()
        # Beside variables, constants stay as the graph has them.
        self._zeroable = frozenset(trace.model.keys()) or trace.weights.keys()
        self._places_of: Dict[int, List[_UsedPlace]] = {}
        held = {
            place.vector: np.unique(signature[place.channels]).tolist()
            for place in _distinct(places)
        }
        for place in places:
            for each in held[place.vector]:
                self._places_of.setdefault(each, []).append(place)
        self._rank = np.full(len(signature), -1, np.int64)
        # Signature -> layers that make, or read, its channels.
        self._makers: Dict[int, List[Kernel]] = {}
        self._readers: Dict[int, List[Kernel]] = {}
        self._order: Dict[str, int] = {}
        for position, kernel in enumerate(trace.kernels):
            axes = trace.weights[kernel.source]
            for each in np.unique(signature[axes[kernel.out_axis]]).tolist():
                self._makers.setdefault(each, []).append(kernel)
            if not kernel.depthwise:
                for each in np.unique(signature[axes[kernel.in_axis]]).tolist():
                    self._readers.setdefault(each, []).append(kernel)
            self._order.setdefault(self._keys.get(kernel.variable, ''), position)

    def order(self, group: Group) -> Tuple[int, int]:
        """Sort key: where the group is first made."""
        first = group.producer
        # A layer whose rule gave up on the way is no kernel.
        made = self._order.get(first.variable, len(self._trace.kernels))
        return made, int(first.positions.min())

    def build(self, signature: int, channels: np.ndarray) -> Optional[Group]:
        """The group of the channels with a signature; None without a producer."""
        used = self._places_of[signature]
        first = next((p for p in used if p.role == PRODUCER), None)
        if first is None:
            return None
        channels = _in_order_of(first.channels, channels)
        positions = self._positions(used, channels)
        places = tuple(self._place(p, positions[p.vector]) for p in used)
        producers = self._makers.get(signature, [])
        consumers = self._readers.get(signature, [])
        is_part = any(
            place.role == CONSUMER
            and positions[place.vector].size < len(place.channels)
            for place in used
        )
        kind = blocks.classify(self._trace, producers, consumers, is_part)
        return Group(
            name=self._name(kind, places, first),
            kind=kind,
            channels=channels,
            places=places,
            kernels=tuple(dict.fromkeys(k.node for k in producers + consumers)),
            reasons=self._trace.frozen.get(int(channels[0]), ()),
        )

    def _positions(
        self, used: Sequence[_UsedPlace], channels: np.ndarray
    ) -> Dict[bytes, np.ndarray]:
        """Vector of channels -> `[width, positions]` where each channel lies."""
        self._rank[channels] = np.arange(len(channels))
        found = {}
        for place in _distinct(used):
            rank = self._rank[place.channels]
            positions = np.flatnonzero(rank >= 0)
            order = np.argsort(rank[positions], kind='stable')
            found[place.vector] = positions[order].reshape(len(channels), -1)
        self._rank[channels] = -1
        return found

    def _place(self, used: _UsedPlace, positions: np.ndarray) -> Place:
        return Place(
            variable=self._keys[used.source],
            axis=used.axis,
            size=len(used.channels),
            role=used.role,
            positions=positions,
            is_kept=used.is_kept or used.source not in self._zeroable,
        )

    def _name(self, kind: str, places: Sequence[Place], first: _UsedPlace) -> str:
        variable = self._keys[first.source]
        scope = names.parent_scope(variable) or variable
        if kind in blocks.INNER_KINDS:
            scope = names.common_scope(place.variable for place in places) or scope
        return scope


def _in_order_of(vector: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """`channels` in the order in which they first appear in `vector`."""
    unique, first = np.unique(vector, return_index=True)
    where = first[np.searchsorted(unique, channels)]
    return channels[np.argsort(where, kind='stable')]


def _with_unique_names(groups: Sequence[Group]) -> Tuple[Group, ...]:
    """Groups of one name get a number: `block`, `block#2` ..."""
    seen: Dict[str, int] = {}
    result = []
    for group in groups:
        count = seen[group.name] = seen.get(group.name, 0) + 1
        name = group.name if count == 1 else f'{group.name}#{count}'
        result.append(dataclasses.replace(group, name=name))
    return tuple(result)
