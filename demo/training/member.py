"""The program of a member, which does one training in step with others."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict

import tensorflow.compat.v1 as tf

from demo.training.settings import Settings
from demo.training.trainer import Part, Trainer, Training
from tf1pruning import plan_json
from tf1pruning.cli import program
from tf1pruning.cluster import members, tasks
from tf1pruning.cluster.publication import Published
from tf1pruning.cluster.step_watch import StepWatch
from tf1pruning.errors import WorkflowError

# TensorFlow raises these where a peer died or was started again.
_OF_PEERS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


def run() -> None:
    """Does the training that its parent orders.

    Raises:
      WorkflowError: if TensorFlow cannot, or another task does not answer in time.
    """
    order = members.read_order()
    task = tasks.Task(**order['task'])
    # It serves while it is referenced.
    _server = task.serve()
    os.environ['TF_CONFIG'] = task.tf_config()
    settings = Settings.from_json(order['settings'])
    part = Part(settings, order['folder'], _say, task, order['seconds'])
    watch = StepWatch(task, part.seconds)
    trainer = Trainer(part, watch)
    try:
        watch.run(lambda: _train(trainer, task, order))
    except _OF_PEERS:
        # The parent of whoever failed says so.
        sys.exit(members.LOST)
    except tf.errors.OpError as error:
        raise WorkflowError(
            f'{task.name} cannot train {order["training"]["name"]!r}: {error.message}'
        ) from error


def _train(trainer: Trainer, task: tasks.Task, order: Dict[str, Any]) -> None:
    published = Published(**order['training'])
    if task.type == tasks.WORKER:
        trainer.join(published)
        return
    plan = plan_json.from_json(order['plan']) if order['plan'] else None
    trainer.train(Training.of(published, plan), _tell_result)


def _say(text: str) -> None:
    members.tell({'say': text})


def _tell_result(training: str, step: int, accuracy: float) -> None:
    members.tell({'result': [training, step, accuracy]})


if __name__ == '__main__':
    program.run(run)
