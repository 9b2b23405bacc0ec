"""Limits the time between two steps of a training.

A TensorFlow call that waits for a peer cannot be interrupted. So the work has a thread
of its own, and the main thread gives up when there is no step for too long.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, List, Optional

import tensorflow.compat.v1 as tf

from tf1pruning import typed
from tf1pruning.cluster import tasks
from tf1pruning.cluster.tasks import Task
from tf1pruning.errors import WorkflowError

# How long work may take to notice that the run is over.
GRACE_SECONDS = 10.0


@typed.checked
class StepWatch(tf.train.SessionRunHook):
    """Watches the trainings that have it as a hook.

    Args:
      task: this process; its peers are asked when there is no step.
      seconds: longest time without a step, while a training runs.
    """

    def __init__(self, task: Task, seconds: float):
        self._task = task
        self._seconds = seconds
        self._deadline: Optional[float] = None

    def run(
        self, work: Callable[[], None], is_over: Callable[[], bool] = lambda: False
    ) -> None:
        """Does the work, and leaves it behind when the limit is over.

        Args:
          work: trains.
          is_over: whether the run has ended. Work that goes on after that waits for a
            peer that is gone, and is left behind without an error.

        Raises:
          WorkflowError: names the peers that do not answer.
          BaseException: what `work` raises.
        """
        raised: List[BaseException] = []

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(tasks.POLL_SECONDS)
            if is_over():
                thread.join(min(self._seconds, GRACE_SECONDS))
                break
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                raise WorkflowError(self._message())
        if raised:
            raise raised[0]

    def wake(self) -> None:
        """A training begins, and the limit runs."""
        self._beat()

    def after_create_session(
        self, session: tf.Session, coord: tf.train.Coordinator
    ) -> None:
        """A sign of life."""
        self._beat()

    def after_run(
        self,
        run_context: tf.train.SessionRunContext,
        run_values: tf.train.SessionRunValues,
    ) -> None:
        """A sign of life."""
        self._beat()

    def rest(self) -> None:
        """No training runs from here on, and no limit."""
        self._deadline = None

    def _beat(self) -> None:
        self._deadline = time.monotonic() + self._seconds

    def _message(self) -> str:
        task = self._task
        # Of the other trainers a task needs none, unless they train in step.
        needed = tasks.JOBS if task.in_step else (tasks.PS,)
        missing = tasks.silent(task.addresses(needed))
        found = f'no answer from {", ".join(missing)}' if missing else 'all answer'
        return (
            f'{task.name} at {task.address} made no step for {self._seconds:g} s '
            f'({found}). Start what is missing and give this command again: the run '
            'goes on from its last checkpoint.'
        )
