"""In which order channels go so that least squares can make up for them.

A layer reads inputs with the Gram matrix G and has the kernel W. Without the inputs S
it answers, after least squares over those that stay, with the squared error

    tr(W_S' (H_SS)^-1 W_S),   H = G^-1

(optimal brain surgery of several weights at once: Hassibi and Stork, 1993). So what is
cheap is what the others can stand in for, not what is small. After each removal H and
the compensated W are brought up to date.
"""

from __future__ import annotations

from typing import List, NamedTuple, Sequence

import numpy as np

# Times the mean of the Gram matrix' diagonal is added to it.
RIDGE = 1e-3
# Wide groups lose several channels between two updates: the cheapest ones, by costs
# that are exact among these candidates.
_ROUNDS = 256
_CANDIDATES = 4


class Reader(NamedTuple):
    """A layer that reads the channels of a group.

    Attributes:
      gram: `[n, n]` mean products of its inputs, those of other groups, too.
      kernel: `[n, outputs]`.
      entries: `[width, entries]` inputs that belong to each channel: taps of a
        convolution, positions of a flattened image; -1 in the row of a channel that it
        does not read.
      weight: of its squared error, such as 1 over the variance of its outputs.
    """

    gram: np.ndarray
    kernel: np.ndarray
    entries: np.ndarray
    weight: float = 1.0


class Removals(NamedTuple):
    """The channels of a group in the order in which they go.

    Attributes:
      order: `[width]` channels.
      losses: `[width]` the weighted squared error, summed over the readers, after each.
    """

    order: np.ndarray
    losses: np.ndarray


def eliminate(readers: Sequence[Reader]) -> Removals:
    """Removes the channels of a group one by one, the cheapest first.

    Args:
      readers: at least one; all of the same width.
    """
    systems = [_System.of(reader) for reader in readers]
    left = np.arange(len(readers[0].entries))
    at_once = -(-left.size // _ROUNDS)
    removals: List[Removals] = []
    while left.size:
        candidates = _costs(systems).argsort(kind='stable')[: _CANDIDATES * at_once]
        parts = [system.part(candidates) for system in systems]
        found = _one_by_one(parts, min(at_once, len(candidates)))
        gone = candidates[found.order]
        removals.append(Removals(left[gone], found.losses))
        systems = [system.without(gone) for system in systems]
        left = np.delete(left, gone)
    order, increases = map(np.concatenate, zip(*removals))
    return Removals(order, np.cumsum(increases))


def with_ridge(gram: np.ndarray) -> np.ndarray:
    """A Gram matrix `[n, n]` that can be inverted, also where inputs never vary."""
    strength = RIDGE * float(np.trace(gram)) / len(gram)
    return gram + (strength or 1.0) * np.eye(len(gram))


class _System:
    """What is left of a reader: H and W of the inputs that belong to channels.

    A channel that is not read has ones on the diagonal of H and zeros elsewhere, so it
    costs nothing and changes nothing.

    Args:
      inverse: `[width * entries, width * entries]` H.
      kernel: `[width * entries, outputs]` W, over the scale of the outputs.
      size: entries of a channel.
    """

    def __init__(self, inverse: np.ndarray, kernel: np.ndarray, size: int):
        self._inverse, self._kernel, self._size = inverse, kernel, size

    @classmethod
    def of(cls, reader: Reader) -> _System:
        entries = reader.entries.ravel()
        is_read = entries >= 0
        inverse = np.eye(len(entries))
        whole = np.linalg.inv(with_ridge(np.asarray(reader.gram, np.float64)))
        inverse[np.ix_(is_read, is_read)] = whole[np.ix_(*[entries[is_read]] * 2)]
        kernel = np.zeros([len(entries), reader.kernel.shape[1]])
        kernel[is_read] = reader.kernel[entries[is_read]] * np.sqrt(reader.weight)
        if kernel.shape[1] > len(kernel):
            # Only products of its rows count, and it has as many with fewer columns.
            kernel = np.linalg.qr(kernel.T, 'r').T
        return cls(inverse, kernel, reader.entries.shape[1])

    def costs(self) -> np.ndarray:
        """`[width]` what the removal of each channel would add to the error."""
        size = self._size
        rows = self._kernel.reshape(-1, size, self._kernel.shape[1])
        all_blocks = self._inverse.reshape(len(rows), size, len(rows), size)
        diagonal = np.arange(len(rows))
        blocks = all_blocks[diagonal, :, diagonal, :]
        products = rows @ rows.transpose(0, 2, 1)
        return np.trace(np.linalg.solve(blocks, products), axis1=1, axis2=2)

    def part(self, channels: np.ndarray) -> _System:
        """The system of some channels; what it costs to remove them is the same."""
        chosen = self._entries(channels)
        inverse = self._inverse[np.ix_(chosen, chosen)]
        return _System(inverse, self._kernel[chosen], self._size)

    def without(self, channels: np.ndarray) -> _System:
        """The system of the others, which stand in for channels that are gone."""
        gone = self._entries(channels)
        kept = np.delete(np.arange(len(self._inverse)), gone)
        rows = self._inverse[np.ix_(gone, kept)]
        shares = np.linalg.solve(self._inverse[np.ix_(gone, gone)], rows)
        inverse = self._inverse[np.ix_(kept, kept)]
        inverse -= rows.T @ shares
        kernel = self._kernel[kept] - shares.T @ self._kernel[gone]
        return _System(inverse, kernel, self._size)

    def _entries(self, channels: np.ndarray) -> np.ndarray:
        size = self._size
        return (channels[:, np.newaxis] * size + np.arange(size)).ravel()


def _costs(systems: Sequence[_System]) -> np.ndarray:
    """`[width]` what the removal of each channel adds to the error of all readers."""
    return np.sum([system.costs() for system in systems], axis=0)


def _one_by_one(systems: Sequence[_System], count: int) -> Removals:
    """The first channels to go, and what each of them adds to the error."""
    left = np.arange(len(_costs(systems)))
    order: List[int] = []
    increases: List[float] = []
    for _ in range(count):
        costs = _costs(systems)
        cheapest = costs.argmin()
        order.append(int(left[cheapest]))
        increases.append(float(costs[cheapest]))
        systems = [system.without(np.array([cheapest])) for system in systems]
        left = np.delete(left, cheapest)
    return Removals(np.array(order), np.array(increases))
