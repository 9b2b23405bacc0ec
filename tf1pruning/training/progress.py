"""Prints step, loss and seconds left every few seconds."""

from __future__ import annotations

import time
from typing import Callable

import tensorflow.compat.v1 as tf
from absl import logging


class ProgressHook(tf.train.SessionRunHook):
    """Reports step, loss and the time that the training still needs.

    Args:
      total_steps: the global step at which training ends.
      loss: name of the loss tensor.
      label: what is being trained; starts each line.
      every_seconds: shortest time between two lines. The last step always gets one.
      write: called with each line.
      clock: seconds, from any origin.
    """

    def __init__(
        self,
        total_steps: int,
        loss: str = 'loss:0',
        label: str = 'train',
        every_seconds: float = 5.0,
        write: Callable[[str], None] = logging.info,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._total_steps = total_steps
        self._loss_name = loss
        self._label = label
        self._every_seconds = every_seconds
        self._write = write
        self._clock = clock
        self._first_step = 0
        self._started = 0.0
        self._reported = 0.0

    def begin(self) -> None:
        """Finds the tensors in the graph that is about to run."""
        graph = tf.get_default_graph()
        self._step = tf.train.get_global_step(graph)
        self._loss = graph.get_tensor_by_name(self._loss_name)

    def after_create_session(
        self, session: tf.Session, coord: tf.train.Coordinator
    ) -> None:
        """Starts the clock; a resumed training starts at its own step."""
        self._first_step = int(session.run(self._step))
        self._started = self._reported = self._clock()

    def before_run(
        self, run_context: tf.train.SessionRunContext
    ) -> tf.train.SessionRunArgs:
        """Asks for the loss along with the training step."""
        return tf.train.SessionRunArgs(self._loss)

    def after_run(
        self,
        run_context: tf.train.SessionRunContext,
        run_values: tf.train.SessionRunValues,
    ) -> None:
        """Writes a line if it is time for one."""
        # Read here, not along with the training step, which may or may not have
        # counted itself when it is read.
        step = int(run_context.session.run(self._step))
        now = self._clock()
        is_due = now - self._reported >= self._every_seconds
        if is_due or step >= self._total_steps:
            self._reported = now
            self._write(self._line(step, float(run_values.results), now))

    def _line(self, step: int, loss: float, now: float) -> str:
        taken = now - self._started
        left = self._total_steps - step
        text = f'{self._label}: step {step}/{self._total_steps}, loss {loss:.4f}'
        if left <= 0:
            return f'{text}, took {taken:.0f} s'
        done = step - self._first_step
        # The first step is many times slower than the others.
        return f'{text}, {taken / done * left:.0f} s left' if done > 1 else text
