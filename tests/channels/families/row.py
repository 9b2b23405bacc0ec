"""One small network per op that has a rule: the op stands between two convolutions.

The convolution `first` makes 12 channels, with batch norm and relu; then comes the op;
the layer `last` makes 6. A row says which groups may be cut and how wide they are.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, Dict

import tensorflow.compat.v1 as tf

from tests import networks

WIDTH = 12
LAST = 6


@dataclasses.dataclass(frozen=True, eq=False)
class Family:
    """A row: `build` maps the activation of `first` to the input of `last`."""

    name: str
    build: Callable[[tf.Tensor], tf.Tensor]
    groups: Dict[str, int]

    def __str__(self) -> str:
        return self.name


def graph_of(row: Family, resource: bool = False) -> tf.Graph:
    """The network of a row: input `[n, 8, 8, 3]`, output node `output` `[n, 5]`."""
    return _graph_of(row, resource)


@functools.lru_cache(maxsize=None)
def _graph_of(row: Family, resource: bool) -> tf.Graph:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        # Nobody runs the initializers; random ones are most of a graph.
        zeros = tf.zeros_initializer()
        with tf.variable_scope('', use_resource=resource, initializer=zeros):
            x = networks.conv(x, WIDTH, 3, name='first', use_bias=False)
            with tf.variable_scope('first_norm'):
                x = tf.nn.relu(networks.batch_norm(x))
            _finish(row.build(x))
        return graph


def _finish(x: tf.Tensor) -> None:
    if x.shape.rank == 4:
        x = tf.nn.relu(networks.conv(x, LAST, name='last'))
        x = tf.reduce_mean(x, [1, 2])
    else:
        x = tf.nn.relu(tf.layers.dense(x, LAST, name='last'))
    tf.identity(tf.layers.dense(x, networks.CLASSES, name='dense'), name='output')


def family(name: str, build: Callable[[tf.Tensor], tf.Tensor], **groups: int) -> Family:
    """A row whose free groups are `first`, `last` and the ones that are named.

    A width of 0 takes a group away.
    """
    widths = {'first': WIDTH, 'last': LAST, **groups}
    return Family(name, build, {k: width for k, width in widths.items() if width})
