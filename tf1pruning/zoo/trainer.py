"""Trains and evaluates the networks of a run, one folder each."""

from __future__ import annotations

import dataclasses
import os
from typing import Callable, List, Mapping, Optional

import tensorflow.compat.v1 as tf

from tf1pruning.plan import Plan
from tf1pruning.training.listener import EvalCheckpointSaverListener
from tf1pruning.training.progress import ProgressHook
from tf1pruning.training.pruning_hook import PruningHook
from tf1pruning.zoo import classifier, digits
from tf1pruning.zoo.settings import Settings

# Seconds between two progress lines.
PROGRESS_SECONDS = 4.0


@dataclasses.dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
      name: folder below the output folder.
      steps: global step at which it ends.
      learning_rate: at its first step.
      l1_decay: factor of the L1 loss.
      checkpoint: its weights are the first ones; '': random weights.
      plan: whose zeros a hook watches; None: nothing is pruned.
      widths: scope of a layer -> width, where it is narrower than the model says.
    """

    name: str
    steps: int
    learning_rate: float
    l1_decay: float
    checkpoint: str = ''
    plan: Optional[Plan] = None
    widths: Mapping[str, int] = dataclasses.field(default_factory=dict)


class Trainer:
    """Trains and evaluates the network of the settings on their data.

    Args:
      settings: of the run.
      output_dir: the trainings' folders lie in it.
      on_result: called with (training, step, test accuracy) after each evaluation.
      say: prints a line of progress.
    """

    def __init__(
        self,
        settings: Settings,
        output_dir: str,
        on_result: Callable[[str, int, float], None],
        say: Callable[[str], None],
    ):
        self._settings = settings
        self._output_dir = output_dir
        self._on_result = on_result
        self._say = say
        self.train_split, self.test_split = digits.load(
            settings.test_share, settings.seed
        )

    def train(self, training: Training) -> None:
        """Trains, or goes on with what was begun in the folder of the training."""
        settings = self._settings
        model = self._estimator(training)
        listener = EvalCheckpointSaverListener(
            model,
            digits.eval_input_fn(self.test_split),
            on_result=lambda step, found: self._on_result(
                training.name, step, found['accuracy']
            ),
        )
        model.train(
            digits.train_input_fn(self.train_split, settings.batch_size, settings.seed),
            max_steps=training.steps,
            hooks=self._hooks(training),
            saving_listeners=[listener],
        )
        if not listener.results:
            # Trained before, by a run that was stopped on its way to the evaluation.
            listener.after_save(None, training.steps)

    def _hooks(self, training: Training) -> List[tf.train.SessionRunHook]:
        hooks: List[tf.train.SessionRunHook] = [
            ProgressHook(
                training.steps, 'loss:0', training.name, PROGRESS_SECONDS, self._say
            )
        ]
        if training.plan is not None:
            folder = os.path.join(self._output_dir, training.name)
            hooks.append(PruningHook(training.plan, summary_dir=folder))
        return hooks

    def _estimator(self, training: Training) -> tf.estimator.Estimator:
        config = tf.estimator.RunConfig(
            tf_random_seed=self._settings.seed,
            save_checkpoints_steps=self._settings.checkpoint_steps,
            keep_checkpoint_max=2,
        )
        return tf.estimator.Estimator(
            model_fn=classifier.model_fn,
            model_dir=os.path.join(self._output_dir, training.name),
            config=config,
            params={
                'config': self._settings.model_config(digits.CLASSES, training.widths),
                'optimizer': self._settings.optimizer,
                'weight_decay': self._settings.weight_decay,
                'l1_decay': training.l1_decay,
                'pretrained_model_path': training.checkpoint,
                'learning_rate': training.learning_rate,
                'train_steps': training.steps,
            },
        )
