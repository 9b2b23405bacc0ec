"""How long surgery takes on MobileNetV2 1.0/224, without training and verification.

One run is all of it, from the checkpoint on disk to the soft-pruned checkpoint, and
from that to the stripped checkpoint and the frozen graph on disk. In the same process,
in turn, TensorFlow freezes the unpruned network in its own way (import, restore,
convert): the ratio of the two holds also when the machine is slow.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any, Callable, Dict, List

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels import select
from tf1pruning.report import text
from tf1pruning.workflow import loading, outputs, planning, stripping, views
from tf1pruning.zoo import mobilenet_v2

OUTPUTS = ('output',)
THRESHOLD = 0.55


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds of each phase, and of TensorFlow's own freezing."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_network(os.path.join(folder, 'model.ckpt'))
        seconds: Dict[str, List[float]] = {}
        _surgery(checkpoint, folder, {})  # Warm-up.
        for _ in range(runs):
            _surgery(checkpoint, folder, seconds)
            _timed(seconds, 'tensorflow freezes', lambda: _tf_freeze(checkpoint))
    medians = {phase: float(np.median(times)) for phase, times in seconds.items()}
    total = sum(value for phase, value in medians.items() if phase in PHASES)
    return {
        'network': 'MobileNetV2 1.0/224',
        'runs': runs,
        'median_seconds': medians,
        'surgery_seconds': total,
    }


PHASES = ('load', 'plan', 'soft prune', 'load again', 'strip', 'write')


def _surgery(checkpoint: str, folder: str, seconds: Dict[str, List[float]]) -> None:
    def timed(phase: str, call: Callable[[], Any]) -> Any:
        return _timed(seconds, phase, call)

    source = timed('load', lambda: loading.load_source(checkpoint, OUTPUTS))
    plan = timed('plan', lambda: _plan(source))
    pruned = timed(
        'soft prune', lambda: outputs.write_soft_pruned(folder, source, plan)
    )
    again = timed('load again', lambda: loading.load_source(pruned, OUTPUTS))
    result = timed('strip', lambda: stripping.strip_source(again, plan, verified=False))
    timed('write', lambda: outputs.write_stripped(folder, again, result))


def _plan(source: loading.Source) -> Any:
    groups = views.by_key(select.groups_in_scopes(source.groups, [''])).values()
    return planning.plan_by_threshold(source, groups, THRESHOLD, 4, 'block')


def _timed(seconds: Dict[str, List[float]], phase: str, call: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = call()
    seconds.setdefault(phase, []).append(time.perf_counter() - started)
    return result


def save_network(prefix: str) -> str:
    """Builds MobileNetV2 with random weights and saves it."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        images = tf.placeholder(tf.float32, [None, 224, 224, 3], 'input')
        mobilenet_v2.build(images, mobilenet_v2.standard())
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix, write_state=False)
    return prefix


def _tf_freeze(checkpoint: str) -> None:
    level = tf.logging.get_verbosity()
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(checkpoint + '.meta')
        saver.restore(session, checkpoint)
        frozen = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), list(OUTPUTS)
        )
    with open(checkpoint + '.pb', 'wb') as file:
        file.write(frozen.SerializeToString())
    tf.logging.set_verbosity(level)


def table(result: Dict[str, Any]) -> str:
    """The result as text."""
    medians = result['median_seconds']
    rows = [[phase, f'{medians[phase]:.3f}'] for phase in PHASES]
    rows.append(['surgery, total', f'{result["surgery_seconds"]:.3f}'])
    rows.append(['TensorFlow freezes', f'{medians["tensorflow freezes"]:.3f}'])
    title = f'{result["network"]}, median of {result["runs"]} runs'
    return f'{title}\n' + text.table(['phase', 'seconds'], rows)
