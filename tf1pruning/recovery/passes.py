"""Runs parts of a network and its twin over all batches, from the last cut on."""

from __future__ import annotations

import itertools
from typing import (
    Collection,
    Dict,
    Generator,
    Iterator,
    List,
    NamedTuple,
    Sequence,
    Tuple,
)

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.errors import DataError
from tf1pruning.graph import importing
from tf1pruning.graph.frozen import channels_last
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.names import TensorRef, parse_tensor
from tf1pruning.recovery.store import Store, is_storable
from tf1pruning.recovery.twins import Twins
from tf1pruning.recovery.unpruned import Seen
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring import running
from tf1pruning.sessions import RunLimits, Session

# A cut is made where it is at most so much wider than the last one ...
_WIDER = 4
# ... or after so many passes that began at the last one.
_PASSES = 4

Feeds = Dict[str, np.ndarray]


class Step(NamedTuple):
    """What a pass gives of one batch.

    Attributes:
      batch: its number.
      chooses: whether it is for choosing and not for fitting.
      values: of the tensors that were asked for.
    """

    batch: int
    chooses: bool
    values: Dict[TensorRef, np.ndarray]


class Passes:
    """The batches, and what is known of them at the last cut.

    Args:
      graph: of the network, for the names of its inputs.
      twins: the network and its twin.
      samples: to fit and to choose by.
      limits: of each run.
      store: keeps what crosses a cut.

    Attributes:
      fitted: number of batches to fit.

    Raises:
      DataError: if there are no examples, or they do not fit the inputs.
    """

    def __init__(
        self,
        graph: InferenceGraph,
        twins: Twins,
        samples: Seen,
        limits: RunLimits,
        store: Store,
    ):
        self._graph, self._twins = graph, twins
        self._sources = samples
        self._limits, self._store = limits, store
        self._chooses: List[bool] = []
        self._since = 0
        self._width = self._read()

    def run(
        self,
        wanted: Sequence[TensorRef],
        alive: Sequence[TensorRef] = (),
    ) -> Generator[Step, None, None]:
        """Runs all batches.

        Args:
          wanted: tensors.
          alive: tensors of a cut that may be made on the way.

        Raises:
          DataError: if the network does not run on a batch.
        """
        known = {parse_tensor(name) for name in self._store.names}
        new = [ref for ref in alive if ref not in known]
        asked = list(dict.fromkeys([*wanted, *new]))
        graph_def, holders = self._twins.part(
            [ref for ref in asked if ref not in known], known
        )
        graph = importing.import_graph(channels_last.channels_last(graph_def))
        inputs = {f'{name}:0' for name in self._graph.inputs if _has(graph, name)}
        cut: Sequence[TensorRef] = ()
        with Session(graph, self._limits) as session:
            for batch, (chooses, feeds) in enumerate(self._feeds(inputs)):
                for ref, holder in holders.items():
                    feeds[f'{holder}:0'] = self._store.read(str(ref), batch)
                refs = asked if not batch else [*wanted, *cut]
                values = self._values(session, refs, feeds, batch, known)
                if not batch and new:
                    cut = new if self._is_narrow([values[ref] for ref in new]) else ()
                for ref in cut:
                    self._store.append(str(ref), values[ref])
                yield Step(batch, chooses, values)
        self._since += 1
        if cut:
            self._store.keep([str(ref) for ref in alive])
            self._since = 0

    def first(self, wanted: Sequence[TensorRef]) -> Dict[TensorRef, np.ndarray]:
        """The values of tensors in the first batch.

        Raises:
          DataError: if the network does not run on it.
        """
        steps = self.run(wanted)
        try:
            return next(steps).values
        finally:
            steps.close()

    def forget(self, nodes: Collection[str]) -> None:
        """Drops what depends on nodes that changed: it is computed again."""
        left = [n for n in self._store.names if parse_tensor(n).node not in nodes]
        self._store.keep(left)

    def _read(self) -> int:
        """Reads all batches once; returns the bytes of the inputs."""
        width, fits = 0, True
        for chooses, source in enumerate(self._sources):
            for batch in source.start():
                feeds = self._fed(batch)
                _check(feeds)
                self._chooses.append(bool(chooses))
                bytes_here = sum(array.nbytes for array in feeds.values())
                width += bytes_here
                storable = all(map(is_storable, feeds.values()))
                fits = fits and storable and self._store.disk.has_room(bytes_here)
                for name, array in feeds.items() if fits else ():
                    self._store.append(str(parse_tensor(name)), array)
        if not fits:
            # They are read again at each pass.
            self._store.close()
        self.fitted, choosing = (self._chooses.count(b) for b in (False, True))
        if not (self.fitted and choosing):
            raise DataError(
                f'There are too few samples: {self.fitted} batches to fit and '
                f'{choosing} to choose by; expected one of each. Give more.',
                options=('data',),
            )
        return width

    def _feeds(self, inputs: Collection[str]) -> Iterator[Tuple[bool, Feeds]]:
        """Of each batch the inputs that no file has."""
        missing = [n for n in inputs if str(parse_tensor(n)) not in self._store]
        if not missing:
            return iter([(held, {}) for held in self._chooses])
        sources = itertools.chain.from_iterable(s.start() for s in self._sources)
        return (
            (held, {n: f for n, f in self._fed(batch).items() if n in missing})
            for held, batch in zip(self._chooses, sources)
        )

    def _fed(self, batch: batches_lib.Batch) -> Feeds:
        return running.feeds(self._graph, batch)[0]

    def _values(
        self,
        session: Session,
        refs: Sequence[TensorRef],
        feeds: Feeds,
        batch: int,
        known: Collection[TensorRef],
    ) -> Dict[TensorRef, np.ndarray]:
        """The values of tensors: from files, or of a run."""
        values = {
            ref: self._store.read(str(ref), batch) for ref in refs if ref in known
        }
        fetched = {ref: str(ref) for ref in refs if ref not in known}
        if fetched:
            data = f'batch {batch + 1}'
            values.update(running.run_on(session, fetched, feeds, data=data))
        return values

    def _is_narrow(self, values: Sequence[np.ndarray]) -> bool:
        """Whether to cut here, by the values of the first batch."""
        size = sum(value.nbytes for value in values) * len(self._chooses)
        fits = all(map(is_storable, values)) and self._store.disk.has_room(size)
        narrow = size <= _WIDER * self._width or self._since >= _PASSES
        if fits and narrow:
            self._width = size
        return fits and narrow


def _has(graph: tf.Graph, name: str) -> bool:
    try:
        graph.get_operation_by_name(name)
    except KeyError:
        return False
    return True


def _check(feeds: Feeds) -> None:
    bad = [
        name
        for name, array in feeds.items()
        if array.dtype.kind == 'f' and not np.isfinite(array).all()
    ]
    if bad:
        raise DataError(
            f'The samples of {bad[0]!r} have NaN or infinite values. Leave those out.',
            options=('data',),
        )
