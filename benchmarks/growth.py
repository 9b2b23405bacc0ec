"""How analyzing and stripping grow with the graph: relus in a row.

CPU time, of one run each. TensorFlow's own import of the same graph stands beside it:
what is verified is imported three times, as it was, as it is stripped, and as the
checkpoint holds it. The goal: ten times the nodes take at most 1.2 times the time per
node.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any, Callable, Dict, List

import tensorflow.compat.v1 as tf

import tf1pruning as tp
from benchmarks import freezing, large, tf_freeze
from tf1pruning.ckpt import writer

SIZES = (10_000, 100_000)
GROWTH = 1.2
STEPS = ('import', 'analyze', 'strip')


def run(runs: int) -> Dict[str, Any]:
    """Microseconds per node of each step, for both sizes, and their ratios.

    One run takes a minute and is long enough: `runs` does not count here.
    """
    small, large_one = (_measure(size) for size in SIZES)
    return {
        'command': freezing.COMMAND,
        'sizes': [small, large_one],
        'ratios': {step: large_one[step] / small[step] for step in STEPS},
        'goal': GROWTH,
    }


def write_network(prefix: str, count: int) -> None:
    """Writes the checkpoint of two convolutions with `count` relus between them."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.nn.relu(tf.layers.conv2d(x, 16, 3, name='first'), name='relu')
        tf.identity(tf.layers.conv2d(x, 4, 1, name='last'), name='output')
        weights = large.Weights(tf.global_variables())
        meta = tf.train.export_meta_graph(graph=graph)
    _lengthen(meta.graph_def, count)
    writer.write_checkpoint(prefix, weights, meta.SerializeToString())


def _lengthen(graph_def: tf.GraphDef, count: int) -> None:
    nodes = {node.name: node for node in graph_def.node}
    relu = nodes['relu']
    for number in range(1, count):
        new = graph_def.node.add()
        new.CopyFrom(relu)
        new.name = f'relu_{number}'
        new.input[:] = ['relu' if number == 1 else f'relu_{number - 1}']
    if count > 1:
        nodes['last/Conv2D'].input[0] = f'relu_{count - 1}'


def _measure(count: int) -> Dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, 'model.ckpt')
        write_network(prefix, count)
        found = {
            'import': _seconds(lambda: _import(prefix)),
            'analyze': _seconds(lambda: _analyze(prefix)),
            'strip': _seconds(lambda: _strip(prefix, os.path.join(folder, 'out'))),
        }
    each = {step: 1e6 * seconds / count for step, seconds in found.items()}
    return {'nodes': count, **each}


def _import(prefix: str) -> None:
    with tf.Graph().as_default():
        tf.train.import_meta_graph(f'{prefix}.meta')


def _analyze(prefix: str) -> None:
    tp.analyze(tp.load(prefix, tf_freeze.OUTPUTS))


def _strip(prefix: str, folder: str) -> None:
    tp.save(tp.strip(tp.load(prefix, tf_freeze.OUTPUTS)), folder)


def _seconds(call: Callable[[], None]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


HEADER = ('nodes', *(f'{step}, us a node' for step in STEPS), 'strip / import', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    cells = [
        [
            f'{size["nodes"]:,}',
            *(f'{size[step]:.0f}' for step in STEPS),
            f'{size["strip"] / size["import"]:.1f}',
            '',
        ]
        for size in result['sizes']
    ]
    ratios = [f'{result["ratios"][step]:.2f} times' for step in STEPS]
    return [*cells, ['ratio', *ratios, '', f'{result["goal"]} times']]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return 'Relus in a row: CPU time per node'
