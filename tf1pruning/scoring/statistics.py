"""Which tensors are averaged over the batches, and the scores made of them."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.criteria.registry import HESSIAN, DataCriterion
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.scoring import network as network_lib
from tf1pruning.scoring.network import ConstantNetwork
from tf1pruning.scoring.result import Scores
from tf1pruning.scoring.spots import Spot, spots_of

_MEAN = 'mean'
_GRADIENT = 'gradient'


class Key(NamedTuple):
    """What an averaged tensor is.

    Attributes:
      kind: name of a criterion, 'loss', 'mean' or 'gradient'.
      owner: name of the group, layer or variable.
      number: of the spot in the group.
    """

    kind: str
    owner: str
    number: int = 0


_THE_LOSS = Key('loss', 'the loss')


class Statistics:
    """The tensors of all criteria, in the graph of a network.

    Args:
      network: with a loss where criteria need one; tensors are added to its graph.
      trace: of the model.
      groups: to score.
      criteria: to score by.
      start: initial weights by variable node, for criteria that look at them.

    Attributes:
      first: tensors of the first pass.
      second: tensors of the second pass; empty if there is none.

    Raises:
      GraphError: if no layer that runs reads a group, or no gradient flows to it.
      OptionError: if a criterion needs the initial weights.
    """

    def __init__(
        self,
        network: ConstantNetwork,
        trace: Trace,
        groups: Sequence[Group],
        criteria: Sequence[DataCriterion],
        start: Optional[Mapping[str, np.ndarray]] = None,
    ):
        _check_start(criteria, start)
        self._network = network
        self._start = start
        self._criteria = {criterion.name: criterion for criterion in criteria}
        found = _reached_spots(network, trace, groups, criteria)
        tensors: Dict[str, tf.Tensor] = {}
        for key, spot in found.items():
            if self._criteria[key.kind].derivative:
                tensors.update(network.tensors(spot))
        twice = any(c.derivative == HESSIAN for c in criteria)
        kernels = _kernels(network, trace) if twice else {}
        gradients: Dict[str, tf.Tensor] = {}
        self.first = _means(network, trace)
        if network.loss is not None:
            self.first[_THE_LOSS] = network.loss
            gradients = network_lib.derivatives(network.loss, {**kernels, **tensors})
        self.second: Dict[Key, tf.Tensor] = {}
        self._directions: Dict[str, tf.Tensor] = {}
        hessian: Dict[str, tf.Tensor] = {}
        if twice:
            hessian = self._along_mean_gradient(gradients, kernels)
        for key, spot in found.items():
            of_hessian = self._criteria[key.kind].derivative == HESSIAN
            known = hessian if of_hessian else gradients
            tensor = self._statistic(key, spot, known)
            (self.second if of_hessian else self.first)[key] = tensor

    def _along_mean_gradient(
        self, gradients: Mapping[str, tf.Tensor], kernels: Mapping[str, tf.Tensor]
    ) -> Dict[str, tf.Tensor]:
        """Products of the Hessian and the mean gradient, over all kernels.

        They are the derivatives of <mean gradient, gradient>, where the mean gradient
        of the first pass is fed as a number.
        """
        products = []
        for name in kernels:
            if name in gradients:
                self.first[Key(_GRADIENT, name)] = gradients[name]
                direction = tf.placeholder(gradients[name].dtype, gradients[name].shape)
                self._directions[name] = direction
                products.append(tf.reduce_sum(direction * gradients[name]))
        derived = {name: kernels[name] for name in self._directions}
        found = network_lib.derivatives(tf.add_n(products), derived)
        return {**{name: tf.zeros_like(derived[name]) for name in derived}, **found}

    def mean_gradients(
        self, values: Mapping[Key, np.ndarray]
    ) -> Dict[tf.Tensor, np.ndarray]:
        """What the second pass is fed with, from the averages of the first."""
        return {
            tensor: values[Key(_GRADIENT, name)]
            for name, tensor in self._directions.items()
        }

    def _statistic(
        self, key: Key, spot: Spot, derivatives: Mapping[str, tf.Tensor]
    ) -> tf.Tensor:
        criterion = self._criteria[key.kind]
        network, values = self._network, self._network.tensors(spot)
        arguments = [network.arranged(spot, values)]
        if criterion.derivative:
            missing = [name for name in values if name not in derivatives]
            if missing:
                raise GraphError(
                    f'Criterion {criterion.name!r}: no gradient of the loss flows to '
                    f'{missing[0]!r} of group {key.owner!r}. Leave the group out, or '
                    'choose another loss.'
                )
            arguments.append(network.arranged(spot, derivatives))
        if criterion.from_start and self._start is not None:
            start = {name: tf.constant(self._start[name]) for name in values}
            arguments.append(network.arranged(spot, start))
        return criterion.statistic(*arguments)

    def finished(self, values: Mapping[Key, np.ndarray], batches: int) -> Scores:
        """The scores that follow from the averages of both passes."""
        scores: Dict[str, Dict[str, List[np.ndarray]]] = {}
        means: Dict[str, np.ndarray] = {}
        for key, array in values.items():
            if key.kind in self._criteria:
                finish = self._criteria[key.kind].finish
                groups = scores.setdefault(key.kind, {})
                groups.setdefault(key.owner, []).append(finish(array))
            elif key.kind == _MEAN:
                means[key.owner] = array
        stacked = {
            criterion: {name: np.stack(parts) for name, parts in groups.items()}
            for criterion, groups in scores.items()
        }
        loss = float(values[_THE_LOSS]) if _THE_LOSS in values else None
        return Scores(stacked, means, batches, loss)


def _check_start(
    criteria: Sequence[DataCriterion], start: Optional[Mapping[str, np.ndarray]]
) -> None:
    needed = [criterion.name for criterion in criteria if criterion.from_start]
    if needed and start is None:
        raise OptionError(
            f'Criterion {needed[0]!r} looks at the distance from the initial weights: '
            'give the initial checkpoint.'
        )


def _reached_spots(
    network: ConstantNetwork,
    trace: Trace,
    groups: Sequence[Group],
    criteria: Sequence[DataCriterion],
) -> Dict[Key, Spot]:
    """The spots of each criterion and group that what runs depends on."""
    found: Dict[Key, Spot] = {}
    for criterion in criteria:
        for group in groups:
            known = spots_of(trace, group, criterion.looks_at)
            spots = [spot for spot in known if network.tensors(spot)]
            if not spots:
                raise _unread(network, criterion, group, known)
            for number, spot in enumerate(spots):
                found[Key(criterion.name, group.name, number)] = spot
    return found


def _unread(
    network: ConstantNetwork,
    criterion: DataCriterion,
    group: Group,
    known: Sequence[Spot],
) -> GraphError:
    what = network.what[0].lower() + network.what[1:]
    reason = f'{what} reads none of group {group.name!r}'
    if not known:
        reason = f'group {group.name!r} has none of them'
    return GraphError(
        f'Criterion {criterion.name!r} looks at {criterion.looks_at}, and {reason}. '
        'Leave the group out, or choose another criterion or loss.'
    )


def _kernels(network: ConstantNetwork, trace: Trace) -> Dict[str, tf.Tensor]:
    """Variable node -> value of each kernel that is read."""
    found = {k.variable: network.variable(k.variable) for k in trace.kernels}
    return {source: value for source, value in found.items() if value is not None}


def _means(network: ConstantNetwork, trace: Trace) -> Dict[Key, tf.Tensor]:
    """The means of what each layer reads, for mean replacement."""
    found = {}
    for kernel in trace.kernels:
        # In a grouped convolution an input position stands for several channels.
        size = len(trace.weights[kernel.source][kernel.in_axis])
        read = network.read(kernel.node, kernel.reads, size)
        if read is not None and not kernel.depthwise:
            others = [a for a in range(read.tensor.shape.ndims) if a != read.axis]
            mean = tf.reduce_mean(read.tensor, axis=others)
            found[Key(_MEAN, kernel.node)] = mean
    return found
