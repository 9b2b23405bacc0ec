"""Traces what a test builds between the placeholder `input` and the node `output`."""

from __future__ import annotations

from typing import Callable, Dict

import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.graph.inference_graph import InferenceGraph

Build = Callable[[tf.Tensor], tf.Tensor]


def model_of(build: Build, size: int = 8) -> InferenceGraph:
    """The model of `build`, whose input is `[n, size, size, 3]`."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, size, size, 3], 'input')
        tf.identity(build(x), name='output')
        return networks.model_of(graph)


def trace_of(build: Build, size: int = 8) -> Trace:
    return trace_lib.trace(model_of(build, size))


def groups_of(build: Build, size: int = 8) -> Dict[str, Group]:
    """Groups by name."""
    return by_name(trace_of(build, size))


def by_name(trace: Trace) -> Dict[str, Group]:
    return {group.name: group for group in groups_lib.find_groups(trace)}
