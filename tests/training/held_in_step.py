"""One task of a training in step that holds zeros; arguments are TF_CONFIG, folder."""

from __future__ import annotations

import os
import sys

import numpy as np
import tensorflow.compat.v1 as tf

from tests.training import hooked
from tests.training.test_hook_in_estimators import model_fn, zeros_input
from tf1pruning.cluster import tasks
from tf1pruning.training import graph_variables
from tf1pruning.training.pruning_hook import HOLD, PruningHook


class _Own(tf.train.SessionRunHook):
    """Writes the variables of this task to a file at the end."""

    def __init__(self, path):
        self._path = path

    def begin(self):
        parts = graph_variables.by_key(tf.global_variables())
        self._reads = {
            key: graph_variables.read(found[0]) for key, found in parts.items()
        }

    def end(self, session):
        np.savez(self._path, **session.run(self._reads))


def run(tf_config, folder):
    task = tasks.read_task(tf_config)
    _server = task.serve()
    os.environ['TF_CONFIG'] = task.tf_config()
    config = tf.estimator.RunConfig(
        train_distribute=tf.distribute.experimental.MultiWorkerMirroredStrategy(),
        experimental_max_worker_delay_secs=0,
        save_checkpoints_steps=1,
    )
    estimator = tf.estimator.Estimator(model_fn, folder, config)
    own = _Own(os.path.join(folder, f'{task.name}.npz'))
    tf.estimator.train_and_evaluate(
        estimator,
        tf.estimator.TrainSpec(zeros_input, 2, [PruningHook(hooked.plan(), HOLD), own]),
        tf.estimator.EvalSpec(zeros_input, steps=1),
    )
    # Servers cannot be stopped, and wait for each other.
    os._exit(0)


if __name__ == '__main__':
    run(*sys.argv[1:])
