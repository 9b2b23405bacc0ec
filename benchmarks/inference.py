"""How fast a stripped network runs, beside the same widths built from the start.

MobileNetV2 1.0/224 loses half of the inner channels of its blocks. It is run by
TensorFlow and by TensorFlow Lite, one image at a time: as it was, stripped, stripped
with its batch norms folded, and built anew at the stripped widths with the same weights
(frozen by TensorFlow itself). The goals: stripped takes 0.97 to 1.03 times as long as
built anew, and less when folded.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import tempfile
from typing import Any, Callable, Dict, List, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

import tf1pruning as tp
from benchmarks import freezing, tf_freeze
from demo.networks import mobilenet_v2
from demo.training import frozen
from demo.training.frozen import median_latencies

RATIO = 0.5
TURNS = 200
GOAL = '0.97 to 1.03'
LITE = 'TensorFlow Lite'
KINDS = ('original', 'stripped', 'folded', 'built anew')
_CONFIG = mobilenet_v2.standard()
_FORMATS = ('ckpt', 'pb', 'tflite')

Run = Callable[[np.ndarray], np.ndarray]


def run(runs: int) -> Dict[str, Any]:
    """Medians in milliseconds.

    Where a network lies in memory changes its speed by a few percent, so each run loads
    all of them anew, in another order.
    """
    found: Dict[str, Dict[str, List[float]]] = {engine: {} for engine in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        _write(folder)
        same = _same_file(folder)
        for number in range(runs):
            turned = number % len(KINDS)
            order = KINDS[turned:] + KINDS[:turned]
            for engine, load in ENGINES.items():
                models = {kind: load(folder, kind) for kind in order}
                for kind, taken in median_latencies(models, _image(), TURNS).items():
                    found[engine].setdefault(kind, []).append(taken)
    return {
        'network': 'MobileNetV2 1.0/224, half of its inner channels',
        'command': freezing.COMMAND,
        'runs': runs,
        'turns': TURNS,
        'goal': GOAL,
        'same_lite_file': same,
        'milliseconds': {
            engine: {kind: float(np.median(each)) for kind, each in kinds.items()}
            for engine, kinds in found.items()
        },
    }


def _same_file(folder: str) -> bool:
    """Whether the TensorFlow Lite file of both is the same, byte for byte."""
    contents = []
    for kind in ('stripped', 'built anew'):
        with open(os.path.join(folder, kind, 'stripped.tflite'), 'rb') as file:
            contents.append(file.read())
    return contents[0] == contents[1]


def _image() -> np.ndarray:
    image = np.random.RandomState(0).standard_normal([1, 224, 224, 3])
    return image.astype(np.float32)


def _write(folder: str) -> None:
    """Writes every kind of the network, as pb and tflite, to a folder of its own."""
    build = functools.partial(mobilenet_v2.build, config=_CONFIG)
    checkpoint = os.path.join(folder, 'full', 'model.ckpt')
    freezing.save_network(build, checkpoint)
    model = tp.load(checkpoint, tf_freeze.OUTPUTS)
    choice = tp.Choice(ratio=RATIO, limits=tp.Limits(8))
    plan = tp.choose(model, choice, criterion='l1', groups='inner')
    pruned = os.path.join(folder, 'pruned', 'model.ckpt')
    tp.soft_prune(model, plan, pruned)
    _export(checkpoint, os.path.join(folder, 'original'))
    _export(pruned, os.path.join(folder, 'stripped'))
    _export(pruned, os.path.join(folder, 'folded'), fold_batch_norm=True)
    narrow = os.path.join(folder, 'narrow', 'model.ckpt')
    weights = os.path.join(folder, 'stripped', 'stripped.ckpt')
    _save_anew(plan.layer_widths(model.variables.shapes), weights, narrow)
    _export(narrow, os.path.join(folder, 'built anew'))
    tf_freeze.tf_freeze(narrow, os.path.join(folder, 'built anew', 'stripped.pb'))


def _save_anew(widths: Mapping[str, int], weights: str, prefix: str) -> None:
    """Saves the network of some widths, with weights that fit it by name."""
    config = dataclasses.replace(_CONFIG, widths=widths)
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, 224, 224, 3], 'input')
        mobilenet_v2.build(images, config)
        saver = tf.train.Saver()
        saver.restore(session, weights)
        saver.save(session, prefix, write_state=False)


def _export(checkpoint: str, folder: str, fold_batch_norm: bool = False) -> None:
    small = tp.strip(tp.load(checkpoint, tf_freeze.OUTPUTS), verify=False)
    options = tp.ExportOptions(fold_batch_norm=fold_batch_norm)
    tp.save(small, folder, _FORMATS, options)


def _pb(folder: str, kind: str) -> Run:
    return frozen.load(os.path.join(folder, kind, 'stripped.pb'))


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


ENGINES: Mapping[str, Callable[[str, str], Run]] = {
    'TensorFlow': _pb,
    LITE: _lite,
}
HEADER = ('engine', *(f'{kind}, ms' for kind in KINDS), 'stripped / built anew', 'goal')


def rows(result: Mapping[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    return [
        [
            engine,
            *(f'{found[kind]:.2f}' for kind in KINDS),
            f'{found["stripped"] / found["built anew"]:.3f}{_note(engine, result)}',
            result['goal'],
        ]
        for engine, found in result['milliseconds'].items()
    ]


def _note(engine: str, result: Mapping[str, Any]) -> str:
    is_same = engine == LITE and result['same_lite_file']
    return ' (the same file)' if is_same else ''


def title(result: Mapping[str, Any]) -> str:
    """What the table shows."""
    return f'Inference, {result["network"]}, median of {result["runs"]} runs'
