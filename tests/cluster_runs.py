"""Real tasks of `train_pruning_class.py` on this machine, all ended with their test."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import tensorflow.compat.v1 as tf

from tests.programs import SECONDS, Program

SHORT = (
    '--model=tiny',
    '--train_steps=2',
    '--retrain_steps=2',
    '--finetune_steps=1',
    '--thresholds=0.5',
    '--batch_size=4',
    '--latency_runs=1',
    '--repair_images=0',
    # Most of the images are never looked at.
    '--test_share=0.05',
    '--peer_seconds=600',
)


def free_addresses(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(('127.0.0.1', 0))
        return [f'127.0.0.1:{found.getsockname()[1]}' for found in sockets]


def free_cluster(workers=1, ps=1):
    addresses = free_addresses(1 + workers + ps)
    cluster = {
        'chief': addresses[:1],
        'worker': addresses[1 : 1 + workers],
        'ps': addresses[1 + workers :],
    }
    return {job: found for job, found in cluster.items() if found}


def tf_config(cluster, job, index=0):
    return json.dumps({'cluster': cluster, 'task': {'type': job, 'index': index}})


def killed_and_back(tasks, process, job, index=0):
    process.kill()
    return tasks.start(job, index)


class Tasks:
    """Starts tasks of one run; as a context it ends those that are left.

    Args:
      folder: for the run.
      cluster: job -> addresses.
      flags: of all tasks.
    """

    def __init__(self, folder, cluster, flags=SHORT):
        self.run = folder / 'run'
        self.cluster = cluster
        self._flags = (f'--output_dir={self.run}', *flags)
        self._processes = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in self._processes:
            process.kill()

    def put_checkpoint(self, training='TH0.9'):
        """A checkpoint of an earlier training: name -> bytes."""
        folder = self.run / training
        folder.mkdir(parents=True)
        with tf.Graph().as_default(), tf.Session() as session:
            tf.get_variable('w', [2])
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(session, str(folder / 'model.ckpt-1'))
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def has_checkpoint(self, files):
        """Whether it is there, bit by bit."""
        folder = self.run / 'TH0.9'
        return all((folder / name).read_bytes() == files[name] for name in files)

    def start(self, job, index=0, config=None):
        text = tf_config(self.cluster, job, index) if config is None else config
        environment = {'PYTHONWARNINGS': 'ignore', 'TF_CONFIG': text}
        process = Program('train_pruning_class.py', self._flags, environment)
        self._processes.append(process)
        return process

    def check_ended(self, *processes):
        """All end well and silently, the first one first."""
        for process in processes:
            code, _, err = process.wait()
            assert (code, err) == (0, '')

    def wait_for(self, text, process, seconds=SECONDS):
        """Waits until a task has printed a text."""
        deadline = time.monotonic() + seconds
        while text not in process.texts()[0]:
            assert process.poll() is None, process.texts()
            assert time.monotonic() < deadline, (text, process.texts())
            time.sleep(0.02)
