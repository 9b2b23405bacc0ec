"""How tracing grows with the graph: MobileNetV2 blocks, repeated.

The goal: 20,000 nodes in 2 seconds, and ten times the nodes in at most 12 times the
time.
"""

from __future__ import annotations

import timeit
from typing import Any, Dict

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks import subjects
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.graph import inference
from tf1pruning.graph.model import Model
from tf1pruning.report import text
from tf1pruning.zoo import mobilenet_v2

# Blocks of a network of 2,000 nodes and of one of 20,000.
REPEATS = (51, 512)


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
        'runs': runs,
        'sizes': rows,
        'nodes_ratio': large['nodes'] / small['nodes'],
        'seconds_ratio': large['seconds'] / small['seconds'],
        'uncollected_ratio': large['uncollected'] / small['uncollected'],
    }


def _model(repeats: int) -> Model:
    config = mobilenet_v2.MobileNetV2Config(
        classes=10,
        stages=(mobilenet_v2.Stage(6, 16, repeats, 1),),
        stem_channels=16,
    )

    def build(images: tf.Tensor) -> None:
        mobilenet_v2.build(images, config)

    return inference.inference_model(subjects.exported(build, (32, 32, 3)), ['output'])


def _measure(model: Model, runs: int) -> Dict[str, Any]:
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


def table(result: Dict[str, Any]) -> str:
    """The result as text."""
    rows = [
        [f'{r["nodes"]:,}', f'{r["seconds"]:.3f}', f'{r["uncollected"]:.3f}']
        for r in result['sizes']
    ]
    keys = ('nodes_ratio', 'seconds_ratio', 'uncollected_ratio')
    nodes, seconds, uncollected = (f'{result[key]:.1f}' for key in keys)
    title = f'Tracing {result["network"]}, median of {result["runs"]} runs, seconds'
    last = (
        f'{nodes} times the nodes take {seconds} times the time, {uncollected} times '
        "without Python's collector."
    )
    header = ['nodes', 'seconds', 'without collector']
    return f'{title}\n{text.table(header, rows)}\n{last}'
