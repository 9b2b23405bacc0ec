"""Runs a network with other weights, from where they make a difference.

What no changed weight reaches is computed once and kept in temporary files; a trial
computes what lies behind. The graph is imported once, and weights are fed.
"""

from __future__ import annotations

from typing import Collection, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, sessions
from tf1pruning.errors import DataError, OutputError
from tf1pruning.graph import draws, frames, importing
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.frozen import channels_last
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.names import TensorRef
from tf1pruning.recovery import comparing
from tf1pruning.recovery.change import ChangeMeter
from tf1pruning.recovery.depths import moving
from tf1pruning.recovery.store import Store, is_storable
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batches
from tf1pruning.sessions import RunLimits, Session

Feeds = Dict[str, np.ndarray]


class Trials:
    """A network whose weights are changed for a while.

    Args:
      graph: of the network, for the names of inputs and outputs.
      frozen: the network; its weights are nodes of their own names.
      batches: samples.
      limits: of each run.
      store: keeps the answers, and what is computed once.

    Raises:
      DataError: if there are no samples, they do not fit, or no output has a scale.
      GraphError: if the network is not safe to run, or runs too long.
      OutputError: if the answers do not fit into the store.
    """

    def __init__(
        self,
        graph: InferenceGraph,
        frozen: tf.GraphDef,
        batches: Batches,
        limits: RunLimits,
        store: Store,
    ):
        comparing.check_scale(graph)
        sessions.check(frozen, graph.outputs, limits)
        runnable = channels_last.channels_last(frozen)
        self._inputs, self._batches, self._limits = graph, batches, limits
        self._view = view_lib.GraphView(runnable)
        self._graph = importing.import_graph(runnable)
        self._inside = frames.nodes_inside(runnable)
        self._moving = moving(self._view)
        self._draws = bool(draws.random_nodes(frozen))
        self._session = Session(self._graph, limits)
        self._store = store
        refs = [TensorRef(names.node_name(name), 0) for name in graph.outputs]
        self._outputs = [r for r in refs if self._view.dtype(r).is_floating]
        self._cut: Optional[List[TensorRef]] = None
        self._behind: List[TensorRef] = []
        self._count = 0
        self._answer()

    def close(self) -> None:
        """Ends the session."""
        self._session.close()

    def start(self, weights: Collection[str]) -> None:
        """Prepares trials.

        Args:
          weights: nodes of all that they will change.
        """
        behind = {edge.node.name for edge in self._view.edges_behind(weights)}
        self._behind = [ref for ref in self._outputs if ref.node in behind]
        self._store.keep([_answers(ref) for ref in self._outputs])
        cut = list(dict.fromkeys(self._entering(behind.difference(weights))))
        self._cut = None
        if not any(ref.node in self._inside for ref in cut) and self._kept(cut):
            self._cut = cut

    def change(self, arrays: Mapping[str, np.ndarray]) -> float:
        """How far the answers are from those of the network as it is, of the worst one.

        Args:
          arrays: weight node -> array; of those that `start` named.

        Raises:
          DataError: if an output does not vary over the samples, or is not finite.
        """
        weights = {f'{name}:0': array for name, array in arrays.items()}
        meter = ChangeMeter([str(ref) for ref in self._outputs])
        for number, feeds in enumerate(self._feeds()):
            old = [self._store.read(_answers(ref), number) for ref in self._outputs]
            new = self._run(self._behind, {**feeds, **weights})
            pairs = zip(self._outputs, old)
            meter.update(old, [new.get(ref, answer) for ref, answer in pairs])
        change = meter.result().worst
        if not np.isfinite(change):
            raise DataError(
                'An output does not vary over the samples, so its change has no scale. '
                'Give more samples, which differ.',
                options=('data',),
            )
        return change

    def _answer(self) -> None:
        """Keeps what the network answers."""
        for feeds in self._samples():
            values = self._run(self._outputs, feeds)
            if not self._store.disk.has_room(sum(v.nbytes for v in values.values())):
                raise OutputError(
                    'The answers to the samples do not fit into the bytes that '
                    'temporary files may take. Give fewer samples, or allow more.',
                    options=('samples', 'disk'),
                )
            for ref, value in values.items():
                self._store.append(_answers(ref), value)
            self._count += 1
        if not self._count:
            raise DataError('There are no samples to compare on.', options=('data',))

    def _entering(self, behind: Collection[str]) -> Iterator[TensorRef]:
        """The tensors that depend on the input and enter a part of the network."""
        for name in behind:
            for ref in self._view.refs(self._view.node(name)):
                if ref.node not in behind and ref.node in self._moving:
                    yield ref

    def _kept(self, cut: Sequence[TensorRef]) -> bool:
        """Whether tensors are in files now, batch by batch."""
        for number, feeds in enumerate(self._samples()):
            values = self._run(cut, feeds)
            size = sum(value.nbytes for value in values.values())
            if not number and not (
                all(map(is_storable, values.values()))
                and self._store.disk.has_room(size * self._count)
            ):
                return False
            for ref, value in values.items():
                self._store.append(str(ref), value)
        return True

    def _samples(self) -> Iterator[Feeds]:
        """The inputs of each batch, from a session in which random ops start anew."""
        self._start_anew()
        for batch in self._batches.start():
            yield running.feeds(self._inputs, batch)[0]

    def _feeds(self) -> Iterator[Feeds]:
        """What each batch of a trial is fed with."""
        if self._cut is None:
            yield from self._samples()
            return
        self._start_anew()
        for number in range(self._count):
            yield {str(ref): self._store.read(str(ref), number) for ref in self._cut}

    def _start_anew(self) -> None:
        if self._draws:
            self._session.close()
            self._session = Session(self._graph, self._limits)

    def _run(
        self, refs: Sequence[TensorRef], feeds: Feeds
    ) -> Dict[TensorRef, np.ndarray]:
        """The values of tensors; those that are fed as they are."""
        fetched = {ref: str(ref) for ref in refs if str(ref) not in feeds}
        found = running.run_on(self._session, fetched, feeds) if fetched else {}
        return {ref: feeds.get(str(ref), found.get(ref)) for ref in refs}


def _answers(ref: TensorRef) -> str:
    """Under which name the answers of an output are kept."""
    return f'answers of {ref}'
