"""Evaluates every checkpoint that a training saves."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import typed

Metrics = Dict[str, float]


@typed.checked
class EvalCheckpointSaverListener(tf.train.CheckpointSaverListener):
    """Evaluates an Estimator each time its training has saved a checkpoint.

    Pass it in `saving_listeners` of `Estimator.train`. A step is evaluated once, also
    where a resumed training saves its first checkpoint again.

    Args:
      estimator: the Estimator that is being trained.
      input_fn: evaluation data, as for `Estimator.evaluate`.
      steps: number of evaluation batches; None means all of them.
      name: name of the evaluation, if there are several.
      on_result: called with (global step, metrics) after each evaluation.

    Attributes:
      results: (global step, metrics) of all evaluations, in order.
    """

    def __init__(
        self,
        estimator: tf.estimator.Estimator,
        input_fn: Callable[[], Any],
        steps: Optional[int] = None,
        name: Optional[str] = None,
        on_result: Optional[Callable[[int, Metrics], None]] = None,
    ):
        self._estimator = estimator
        self._input_fn = input_fn
        self._steps = steps
        self._name = name
        self._on_result = on_result
        self.results: List[Tuple[int, Metrics]] = []

    def after_save(self, session: tf.Session, global_step_value: int) -> None:
        """Called by the checkpoint saver; evaluates the checkpoint just written."""
        step = int(global_step_value)
        if any(step == done for done, _ in self.results):
            return
        found = self._estimator.evaluate(
            self._input_fn,
            steps=self._steps,
            checkpoint_path=tf.train.latest_checkpoint(self._estimator.model_dir),
            name=self._name,
        )
        metrics = {key: float(value) for key, value in found.items()}
        self.results.append((step, metrics))
        if self._on_result is not None:
            self._on_result(step, metrics)
