"""How tracing grows with the graph: MobileNetV2 blocks, repeated.

The goal: 20,000 nodes in 2 seconds, and ten times the nodes in at most 12 times the
time.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List

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
    """Medians in seconds for both sizes, and their ratio."""
    rows = [_measure(_model(repeats), runs) for repeats in REPEATS]
    small, large = rows
    return {
        'network': 'MobileNetV2 blocks',
        'runs': runs,
        'sizes': rows,
        'nodes_ratio': large['nodes'] / small['nodes'],
        'seconds_ratio': large['seconds'] / small['seconds'],
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
    trace = trace_lib.trace(model)  # Warm-up.
    groups_lib.find_groups(trace)
    tracing: List[float] = []
    grouping: List[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        trace = trace_lib.trace(model)
        traced = time.perf_counter()
        groups_lib.find_groups(trace)
        tracing.append(traced - started)
        grouping.append(time.perf_counter() - traced)
    medians = float(np.median(tracing)), float(np.median(grouping))
    return {
        'nodes': len(model.graph_def.node),
        'trace_seconds': medians[0],
        'group_seconds': medians[1],
        'seconds': sum(medians),
    }


def table(result: Dict[str, Any]) -> str:
    """The result as text."""
    rows = [
        [f'{r["nodes"]:,}', *(f'{r[k]:.3f}' for k in _SECONDS)] for r in result['sizes']
    ]
    ratios = ['nodes_ratio', 'seconds_ratio']
    nodes, seconds = (f'{result[key]:.1f}' for key in ratios)
    title = f'Tracing {result["network"]}, median of {result["runs"]} runs, seconds'
    last = f'{nodes} times the nodes take {seconds} times the time.'
    header = ['nodes', 'trace', 'groups', 'both']
    return f'{title}\n{text.table(header, rows)}\n{last}'


_SECONDS = ('trace_seconds', 'group_seconds', 'seconds')
