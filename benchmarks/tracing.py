"""How tracing grows with the graph: MobileNetV2 blocks, repeated.

The goal: 20,000 nodes in 2 seconds, and ten times the nodes in at most 12 times the
time.
"""

from __future__ import annotations

import timeit
from typing import Any, Dict, List

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks import freezing, subjects
from demo.networks import mobilenet_v2
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.inference_graph import InferenceGraph

# Blocks of a network of 2,000 nodes and of one of 20,000.
REPEATS = (51, 512)
GOAL_SECONDS = 2.0
# Ten times the nodes may take 12 times the time.
GROWTH = 1.2


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds for both sizes, and their ratio with and without collections.

    Python's collector looks through everything that TensorFlow holds each time it runs,
    a cost that comes in steps and has nothing to do with the graph. So, as `timeit`
    does, the growth is also measured without it.
    """
    rows = [_measure(_model(repeats), runs) for repeats in REPEATS]
    small, large = rows
    return {
        'network': 'MobileNetV2 blocks',
        'command': freezing.COMMAND,
        'runs': runs,
        'sizes': rows,
        'nodes_ratio': large['nodes'] / small['nodes'],
        'seconds_ratio': large['seconds'] / small['seconds'],
        'uncollected_ratio': large['uncollected'] / small['uncollected'],
    }


def _model(repeats: int) -> InferenceGraph:
    config = mobilenet_v2.MobileNetV2Config(
        classes=10,
        stages=(mobilenet_v2.Stage(6, 16, repeats, 1),),
        stem_channels=16,
    )

    def build(images: tf.Tensor) -> None:
        mobilenet_v2.build(images, config)

    return derivation.derive(subjects.exported(build, (32, 32, 3)), ['output'])


def _measure(model: InferenceGraph, runs: int) -> Dict[str, Any]:
    def trace_and_group() -> None:
        groups_lib.find_groups(trace_lib.trace(model))

    trace_and_group()  # Warm-up.
    uncollected = timeit.repeat(trace_and_group, number=1, repeat=runs)
    collected = timeit.repeat(trace_and_group, 'gc.enable()', number=1, repeat=runs)
    return {
        'nodes': len(model.graph_def.node),
        'seconds': float(np.median(collected)),
        'uncollected': float(np.median(uncollected)),
    }


HEADER = ('nodes', 'seconds', 'without collector', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    small, large = (
        [f'{r["nodes"]:,}', f'{r["seconds"]:.3f}', f'{r["uncollected"]:.3f}']
        for r in result['sizes']
    )
    keys = ('nodes_ratio', 'seconds_ratio', 'uncollected_ratio')
    nodes, seconds, uncollected = (result[key] for key in keys)
    ratios = [f'{nodes:.1f} times', f'{seconds:.1f} times', f'{uncollected:.1f} times']
    limit = f'{GROWTH * nodes:.1f} times'
    return [[*small, ''], [*large, f'{GOAL_SECONDS:.0f}'], [*ratios, limit]]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return f'Tracing {result["network"]}, median of {result["runs"]} runs'
