"""From a soft-pruned checkpoint to a stripped, frozen graph on disk, unverified.

In the same process, in turn, TensorFlow freezes the unpruned network in its own way
(import, restore, convert): the ratio of the two holds also when the machine is slow.
The goal is at most 0.3.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks import subjects
from tf1pruning.choosing.choice import Choice, Limits
from tf1pruning.criteria import registry
from tf1pruning.workflow import (
    exporting,
    inputs,
    loading,
    outputs,
    planning,
    stripping,
)
from tf1pruning.workflow.phases import Phases
from tf1pruning.zoo.networks import NETWORKS

COMMAND = 'python -m benchmarks'
OUTPUTS = ('output',)
GOAL = 0.3
RATIO = 0.25
_PB = exporting.Options(formats=('pb',))

Build = Callable[[tf.Tensor], Any]


def _zoo(name: str) -> Build:
    network = NETWORKS[name]
    return lambda images: network.build(images, network.config)


def _resnet(images: tf.Tensor) -> None:
    tf.keras.backend.set_learning_phase(0)
    application, _ = subjects.APPLICATIONS['ResNet50']
    model = application(weights=None, input_tensor=images)
    tf.identity(model.outputs[0].op.inputs[0], name='output')


BUILDS: Tuple[Tuple[str, Build], ...] = (
    ('MobileNetV2 1.0/224', _zoo('mobilenet_v2')),
    ('ResNet-50', _resnet),
    ('EfficientNet-B0', _zoo('efficientnet_b0')),
)


def run(runs: int) -> Dict[str, Any]:
    """Medians in seconds, and their ratio, per network."""
    rows = []
    for name, build in BUILDS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append({'network': name, **_measure(build, folder, runs)})
    return {'command': COMMAND, 'runs': runs, 'goal': GOAL, 'rows': rows}


def save_network(build: Build, prefix: str) -> str:
    """Builds a network of images of 224 x 224 with random weights and saves it."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        build(tf.placeholder(tf.float32, [None, 224, 224, 3], 'input'))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix, write_state=False)
    return prefix


def soft_prune(checkpoint: str, prefix: str) -> str:
    """Writes zeros into a quarter of the filters of each group that may be cut."""
    source = loading.load_source(checkpoint, OUTPUTS)
    groups = [group for group in source.groups if not group.frozen]
    choice = Choice(ratio=RATIO, limits=Limits(4))
    scorer = planning.weight_scorer(source, registry.find('l1', 0))
    plan = planning.plan_by_choice(source, groups, choice, scorer, 'block')
    outputs.write_zeros(prefix, source, plan, checkpoint + '.meta')
    return prefix


def _measure(build: Build, folder: str, runs: int) -> Dict[str, Any]:
    checkpoint = save_network(build, os.path.join(folder, 'model.ckpt'))
    pruned = soft_prune(checkpoint, os.path.join(folder, 'pruned', 'model.ckpt'))
    # What the preparations left is not to be looked through on either side.
    gc.collect()
    gc.freeze()
    ours: List[float] = []
    theirs: List[float] = []
    phases = Phases()
    for number in range(runs + 1):
        target = os.path.join(folder, f'out{number}')
        started = time.perf_counter()
        tf_freeze(checkpoint, f'{target}.pb')
        halfway = time.perf_counter()
        strip(pruned, target, phases)
        if number:  # The first is a warm-up.
            theirs.append(halfway - started)
            ours.append(time.perf_counter() - halfway)
    medians = float(np.median(ours)), float(np.median(theirs))
    return {
        'strip_seconds': medians[0],
        'tensorflow_seconds': medians[1],
        'ratio': medians[0] / medians[1],
        'phases': {n: value / (runs + 1) for n, value in phases.seconds.items()},
    }


def strip(checkpoint: str, folder: str, phases: Phases) -> None:
    """Strips a checkpoint and writes the frozen graph."""
    source = inputs.load(checkpoint, inputs.Options(outputs=OUTPUTS), phases)
    result = stripping.strip_source(source, verified=False, phases=phases)
    exporting.export(source, result, folder, _PB, phases)


def tf_freeze(checkpoint: str, path: str) -> None:
    """TensorFlow's own way to freeze a checkpoint."""
    level = tf.logging.get_verbosity()
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(checkpoint + '.meta')
        saver.restore(session, checkpoint)
        frozen = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), list(OUTPUTS)
        )
    with open(path, 'wb') as file:
        file.write(frozen.SerializeToString())
    tf.logging.set_verbosity(level)


HEADER = ('network', 'strip and freeze, s', 'TensorFlow freezes, s', 'ratio', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    return [
        [
            row['network'],
            f'{row["strip_seconds"]:.3f}',
            f'{row["tensorflow_seconds"]:.3f}',
            f'{row["ratio"]:.2f}',
            f'{result["goal"]}',
        ]
        for row in result['rows']
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return f'Strip and freeze, median of {result["runs"]} runs'
