"""Rows of layers, gathered in a pass: once for all layers that read the same ones."""

from __future__ import annotations

import functools
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from tf1pruning.algebra.moments import Moments
from tf1pruning.recovery import geometry
from tf1pruning.recovery.goals import Made
from tf1pruning.recovery.passes import Step
from tf1pruning.recovery.readings import Reading, Values
from tf1pruning.recovery.store import Store


def gather(
    readings: Sequence[Reading],
    steps: Iterable[Step],
    generator: np.random.RandomState,
    store: Optional[Store] = None,
) -> None:
    """Gives readings the moments of their rows.

    Args:
      readings: of one depth.
      steps: all batches.
      generator: draws the pixels.
      store: keeps the rows of those that may be refined; memory does where it has no
        room. None: they are not kept.
    """
    alike: Dict[Tuple[object, ...], List[Reading]] = {}
    for reading in readings:
        if reading.is_whole:
            alike.setdefault(reading.key, []).append(reading)
    together = [Rows(each, store) for each in alike.values()]
    for step in steps:
        for reading in readings:
            reading.add_channels(step.values, step.chooses, generator)
        for rows in together:
            rows.add(step.values, step.chooses, generator)
    for rows in together:
        rows.hand_over()


class Rows:
    """What layers read in common, and what each of them makes of it.

    Args:
      readings: of layers that read the same rows.
      store: see `gather`.
    """

    def __init__(self, readings: Sequence[Reading], store: Optional[Store] = None):
        self._readings = readings
        self._moments = {held: Moments(len(readings)) for held in (False, True)}
        self._chooses: List[bool] = []
        refined = any(reading.is_refined for reading in readings)
        self._store = store if refined else None
        # What the store had no room for, by batch.
        self._in_memory: Dict[int, Dict[str, np.ndarray]] = {}

    def add(
        self, values: Values, chooses: bool, generator: np.random.RandomState
    ) -> None:
        """Adds the rows of a batch, those of some of its pixels if it has many."""
        first = self._readings[0]
        pixels = geometry.some_pixels(first.outputs, first.pixels, generator)
        x = first.rows(values, pixels)
        made = [reading.made(values, pixels) for reading in self._readings]
        self._moments[chooses].add(x, [each.wanted for each in made])
        self._keep(chooses, x, made)

    def hand_over(self) -> None:
        """Gives each reading what was found; all batches were added."""
        for number, reading in enumerate(self._readings):
            found = {h: m.of(number) for h, m in self._moments.items() if m.count}
            kept = functools.partial(self._rows, number) if self._store else None
            reading.take(found, kept)

    def _keep(self, chooses: bool, x: np.ndarray, made: Sequence[Made]) -> None:
        if self._store is None:
            return
        arrays = {self._name(): x}
        for number, each in enumerate(made):
            for field, array in each._asdict().items():
                if array is not None:
                    arrays[self._name(number, field)] = array
        size = sum(array.nbytes for array in arrays.values())
        if not self._in_memory and self._store.disk.has_room(size):
            for name, array in arrays.items():
                self._store.append(name, array)
        else:
            self._in_memory[len(self._chooses)] = arrays
        self._chooses.append(chooses)

    def _rows(self, number: int, chooses: bool) -> Iterator[Tuple[np.ndarray, Made]]:
        """The rows of a reading that were kept."""
        for batch, held in enumerate(self._chooses):
            if held == chooses:
                x = self._read(self._name(), batch)
                fields = [
                    self._read(self._name(number, f), batch) for f in Made._fields
                ]
                yield x, Made(*fields)

    def _read(self, name: str, batch: int) -> Optional[np.ndarray]:
        if batch in self._in_memory:
            return self._in_memory[batch].get(name)
        assert self._store is not None, 'rows were kept'
        return self._store.read(name, batch) if name in self._store else None

    def _name(self, number: int = 0, field: str = 'x') -> str:
        """A name of what is kept, in the store that other layers use, too."""
        return f'{field} of {self._readings[number].layer.kernel.node}'
