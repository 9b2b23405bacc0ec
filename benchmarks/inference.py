"""How fast a stripped network runs, beside the same widths built from the start.

MobileNetV2 1.0/224 loses half of the inner channels of its blocks. It is run by
TensorFlow and by TensorFlow Lite, one image at a time: as it was, stripped, stripped
with its batch norms folded, and built anew at the stripped widths (frozen by TensorFlow
itself). The goals: stripped takes 0.97 to 1.03 times as long as built anew, and less
when folded.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from typing import Any, Callable, Dict, List, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks import freezing
from tf1pruning.choosing.choice import Choice, Limits
from tf1pruning.criteria import registry
from tf1pruning.plan import Plan
from tf1pruning.training.frozen import FrozenModel, median_latencies
from tf1pruning.workflow import exporting, loading, outputs, planning, stripping
from tf1pruning.zoo import mobilenet_v2
from tf1pruning.zoo.networks import NETWORKS

RATIO = 0.5
TURNS = 200
GOAL = '0.97 to 1.03'
KINDS = ('original', 'stripped', 'folded', 'built anew')
_CONFIG = NETWORKS['mobilenet_v2'].config
_FORMATS = (exporting.PB, exporting.TFLITE)

Run = Callable[[np.ndarray], np.ndarray]


def run(runs: int) -> Dict[str, Any]:
    """Medians in milliseconds, over `runs` times 200 turns."""
    with tempfile.TemporaryDirectory() as folder:
        _write(folder)
        image = np.random.RandomState(0).standard_normal([1, 224, 224, 3])
        image = image.astype(np.float32)
        models = {
            'TensorFlow': {kind: _pb(folder, kind) for kind in KINDS},
            'TensorFlow Lite': {kind: _lite(folder, kind) for kind in KINDS},
        }
        found = {
            engine: median_latencies(each, image, runs * TURNS)
            for engine, each in models.items()
        }
    return {
        'network': 'MobileNetV2 1.0/224, half of its inner channels',
        'command': freezing.COMMAND,
        'runs': runs * TURNS,
        'goal': GOAL,
        'milliseconds': found,
    }


def _write(folder: str) -> None:
    """Writes every kind of the network, as pb and tflite, to a folder of its own."""
    checkpoint = _save(_CONFIG, os.path.join(folder, 'full', 'model.ckpt'))
    source = loading.load_source(checkpoint, freezing.OUTPUTS)
    plan = _plan(source)
    pruned = os.path.join(folder, 'pruned', 'model.ckpt')
    outputs.write_zeros(pruned, source, plan, checkpoint + '.meta')
    widths = plan.layer_widths(source.variables.shapes)
    narrow = dataclasses.replace(_CONFIG, widths=widths)
    anew = _save(narrow, os.path.join(folder, 'narrow', 'model.ckpt'))
    _export(checkpoint, os.path.join(folder, 'original'))
    _export(pruned, os.path.join(folder, 'stripped'))
    _export(pruned, os.path.join(folder, 'folded'), fold_batch_norm=True)
    _export(anew, os.path.join(folder, 'built anew'))
    freezing.tf_freeze(anew, os.path.join(folder, 'built anew', 'stripped.pb'))


def _save(config: mobilenet_v2.MobileNetV2Config, prefix: str) -> str:
    return freezing.save_network(lambda x: mobilenet_v2.build(x, config), prefix)


def _plan(source: loading.Source) -> Plan:
    groups = [group for group in source.groups if group.kind == 'inverted_residual']
    scorer = planning.weight_scorer(source, registry.find('l1', 0))
    choice = Choice(ratio=RATIO, limits=Limits(8))
    return planning.plan_by_choice(source, groups, choice, scorer, 'block')


def _export(checkpoint: str, folder: str, fold_batch_norm: bool = False) -> None:
    source = loading.load_source(checkpoint, freezing.OUTPUTS)
    result = stripping.strip_source(source, verified=False)
    options = exporting.Options(_FORMATS, fold_batch_norm=fold_batch_norm)
    exporting.check(exporting.export(source, result, folder, options))


def _pb(folder: str, kind: str) -> Run:
    return FrozenModel(os.path.join(folder, kind, 'stripped.pb'))


def _lite(folder: str, kind: str) -> Run:
    path = os.path.join(folder, kind, 'stripped.tflite')
    interpreter = tf.lite.Interpreter(model_path=path)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]['index']
    end = interpreter.get_output_details()[0]['index']

    def call(image: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(entry, image)
        interpreter.invoke()
        return interpreter.get_tensor(end)

    return call


HEADER = ('engine', *(f'{kind}, ms' for kind in KINDS), 'stripped / built anew', 'goal')


def rows(result: Mapping[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    return [
        [
            engine,
            *(f'{found[kind]:.2f}' for kind in KINDS),
            f'{found["stripped"] / found["built anew"]:.3f}',
            result['goal'],
        ]
        for engine, found in result['milliseconds'].items()
    ]


def title(result: Mapping[str, Any]) -> str:
    """What the table shows."""
    return f'Inference, {result["network"]}, median of {result["runs"]} turns'
