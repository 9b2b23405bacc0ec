"""Checkpoints as training leaves them, and what a test wants to know about folders."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import Callable, Dict, Mapping, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint

BLOCK = 'net/expanded_conv_1'
GATE = 'SE1'


def train(folder: str, **options: object) -> str:
    """A checkpoint with its training graph: a pipeline, momentum slots, a step."""
    settings = {'is_training': True, 'optimizer': 'momentum', 'pipeline': True}
    graph = networks.inverted_residual_net(**{**settings, **options})
    os.makedirs(folder)
    return networks.save(graph, os.path.join(folder, 'model.ckpt-100'), seed=4)


def retrain(prefix: str, folder: str, steps: int = 1) -> str:
    """Trains a checkpoint by its own meta graph, as an Estimator would.

    Returns:
      Prefix of the checkpoint in `folder`.
    """
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(prefix + '.meta')
        saver.restore(session, prefix)
        session.run(graph.get_collection(tf.GraphKeys.TABLE_INITIALIZERS))
        for _ in range(steps):
            session.run(graph.get_collection('train_op'))
        os.makedirs(folder)
        step = session.run(tf.train.get_global_step())
        return saver.save(session, os.path.join(folder, 'model.ckpt'), step)


def changed_copy(
    prefix: str, folder: str, change: Optional[Callable[[Dict], None]] = None
) -> str:
    """A copy of a checkpoint, with arrays that `change` may edit.

    Returns:
      Prefix of the copy, which has the same name.
    """
    arrays: Dict[str, np.ndarray] = dict(Checkpoint(prefix))
    if change:
        change(arrays)
    target = os.path.join(folder, os.path.basename(prefix))
    writer.write_checkpoint(target, ArraysInMemory(arrays))
    shutil.copy(prefix + '.meta', target + '.meta')
    return target


def gates(*scopes: str) -> tf.Graph:
    """A convolution with one squeeze-and-excite block per scope behind it."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'input')
        x = networks.conv(x, 8, name='stem')
        for scope in scopes:
            with tf.variable_scope(scope):
                gate = tf.reduce_mean(x, [1, 2], keepdims=True)
                gate = tf.nn.relu(networks.conv(gate, 4, name='reduce'))
                gate = tf.sigmoid(networks.conv(gate, 8, name='expand'))
                x = tf.multiply(x, gate)
        tf.reduce_mean(x, [1, 2], name='output')
    return graph


def contents(folder: object) -> Dict[str, str]:
    """Path below `folder` -> digest of the file, or 'folder'."""
    found = {}
    for root, folders, files in os.walk(str(folder)):
        for name in folders:
            found[os.path.relpath(os.path.join(root, name), str(folder))] = 'folder'
        for name in files:
            path = os.path.join(root, name)
            with open(path, 'rb') as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, str(folder))] = digest
    return found


def file_names(folder: object) -> Tuple[str, ...]:
    """Sorted paths of all files below `folder`."""
    found = contents(folder)
    return tuple(sorted(name for name, kind in found.items() if kind != 'folder'))


def run(path: str, feeds: Mapping[str, np.ndarray], output: str = 'output') -> object:
    """Output of a frozen graph in a file."""
    graph_def = tf.GraphDef()
    with open(path, 'rb') as file:
        graph_def.ParseFromString(file.read())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name='')
        return session.run(f'{output}:0', feeds)
