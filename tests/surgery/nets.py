"""Small networks in memory, and the three outputs that surgery is judged by."""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning import plan as plan_lib
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels.trace import trace
from tf1pruning.channels.trace_result import Trace
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.plan import Plan
from tf1pruning.surgery import choice, soft, verify
from tf1pruning.surgery import stripped as stripped_lib

Layer = Callable[[tf.Tensor], tf.Tensor]
Planned = Mapping[str, Sequence[int]]


@dataclasses.dataclass(frozen=True)
class Net:
    """A model with its arrays; `arrays` maps variable node -> array."""

    trace: Trace
    groups: Tuple[groups_lib.Group, ...]
    arrays: Dict[str, np.ndarray]

    @property
    def model(self) -> InferenceGraph:
        return self.trace.model

    def group(self, name: str) -> groups_lib.Group:
        return next(group for group in self.groups if group.name == name)

    def plan(self, planned: Planned, mode: str = 'block', multiple: int = 1) -> Plan:
        """A plan to remove the named channels."""
        groups = [
            plan_lib.plan_group(self.group(name), channels, len(channels))
            for name, channels in planned.items()
        ]
        named = [self.group(name) for name in planned]
        fingerprint = plan_lib.fingerprint(named, self.model)
        return Plan(fingerprint, mode, multiple, None, tuple(groups))

    def soft_pruned(self, plan: Plan) -> Net:
        pruned = soft.SoftPruned(ArraysInMemory(self.arrays), plan, list(self.arrays))
        return dataclasses.replace(self, arrays=dict(pruned))

    def strip(
        self, plan: Optional[Plan] = None, **options: object
    ) -> stripped_lib.Stripped:
        return stripped_lib.strip(
            self.trace,
            self.groups,
            ArraysInMemory(self.arrays),
            plan,
            choice.RemovalOptions(**options),
        )

    def frozen(self) -> tf.GraphDef:
        return freeze.freeze(self.model, self.arrays)


class Outcome(NamedTuple):
    """Largest differences over the output's scale, and what was stripped."""

    soft_to_stripped: float
    unpruned_to_soft: float
    stripped: stripped_lib.Stripped


def net_of(graph: tf.Graph, seed: int = 0) -> Net:
    """A graph that ends in `output`, with random arrays."""
    model = networks.model_of(graph)
    arrays = networks.random_arrays(graph, seed)
    found = trace(model)
    own = {variable.node: arrays[variable.node] for variable in model.variables}
    return Net(found, groups_lib.find_groups(found), own)


def prune_and_strip(net: Net, plan: Plan) -> Outcome:
    """Soft-prunes, strips, and runs all three networks on the same input."""
    pruned = net.soft_pruned(plan)
    stripped = pruned.strip(plan)
    small = freeze.freeze(stripped.graph, stripped.arrays)
    outputs = net.model.outputs
    return Outcome(
        verify.compare(pruned.frozen(), small, outputs).relative,
        verify.compare(net.frozen(), pruned.frozen(), outputs).relative,
        stripped,
    )


def difference(net: Net, stripped: stripped_lib.Stripped) -> float:
    """Largest difference over the output's scale to the net as it is."""
    small = freeze.freeze(stripped.graph, stripped.arrays)
    return verify.compare(net.frozen(), small, net.model.outputs).relative


def chain(*layers: Layer, channels: int = 3) -> tf.Graph:
    """Layers one after the other on a 6 x 6 image, and a node `output`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, channels], 'input')
        for layer in layers:
            x = layer(x)
        tf.identity(x, name='output')
    return graph


def conv(name: str, filters: int, size: int = 1, **options: object) -> Layer:
    """A SAME convolution `name/kernel`, with a bias unless told otherwise."""
    return lambda x: networks.conv(x, filters, size, name, **options)


def batch_norm(name: str) -> Layer:
    """Fused batch norm `name/{gamma,beta,moving_mean,moving_variance}`."""
    return lambda x: tf.layers.batch_normalization(x, name=name)


def two_convs(
    activation: Layer = tf.nn.relu, *reader: Layer, width: int = 8
) -> tf.Graph:
    """conv `a` without bias, batch norm `a_bn`, activation, then the reader.

    The reader is conv `b` with a bias if none is given. The channels of `a` are the
    group `a`.
    """
    layers = reader or (conv('b', 3),)
    return chain(
        conv('a', width, use_bias=False), batch_norm('a_bn'), activation, *layers
    )
