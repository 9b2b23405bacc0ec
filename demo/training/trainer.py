"""Trains and evaluates the networks of a run, one folder each.

In one process, on one device or several, or as the chief or a worker of a cluster.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from typing import Callable, List, Mapping, Optional

import tensorflow.compat.v1 as tf

from demo.datasets import pipelines
from demo.training import classifier
from demo.training.settings import Settings
from tf1pruning.cluster.publication import Chief, Published
from tf1pruning.cluster.step_watch import StepWatch
from tf1pruning.cluster.tasks import PS, Task
from tf1pruning.plan import Plan
from tf1pruning.training import devices
from tf1pruning.training.listener import EvalCheckpointSaverListener
from tf1pruning.training.progress import ProgressHook
from tf1pruning.training.pruning_hook import PruningHook

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

    @classmethod
    def of(cls, published: Published, plan: Optional[Plan] = None) -> Training:
        """What is published, and the plan that only the chief needs."""
        return cls(
            published.name,
            checkpoint=published.checkpoint,
            plan=plan,
            **published.details,
        )

    def published(self) -> Published:
        """What a worker needs to join."""
        return Published(
            name=self.name,
            checkpoint=self.checkpoint,
            details={
                'steps': self.steps,
                'learning_rate': self.learning_rate,
                'l1_decay': self.l1_decay,
                'widths': dict(self.widths),
            },
        )


@dataclasses.dataclass(frozen=True)
class Part:
    """One process of a run.

    Attributes:
      settings: of the run.
      folder: of the run; the folders of the trainings lie in it.
      say: prints a line of progress.
      task: this process, if it is one of a cluster.
      seconds: longest time that it waits for another task.
    """

    settings: Settings
    folder: str
    say: Callable[[str], None]
    task: Optional[Task] = None
    seconds: float = 600.0


# Called with (training, step, test accuracy) after each evaluation.
OnResult = Callable[[str, int, float], None]
Train = Callable[[Training, OnResult], None]


class Trainer:
    """Trains and evaluates the network of the settings on their data.

    Args:
      part: this process.
      watch: of a task of a cluster: watches the steps of its trainings.

    Raises:
      OptionError: if the folder of the data is missing, or the images are too small.
      DataError: if their files are missing, truncated, or not what they should be.
    """

    def __init__(self, part: Part, watch: Optional[StepWatch] = None):
        self._part = part
        self._settings = part.settings
        self._task = part.task
        self._watch = watch
        self.dataset = part.settings.load_dataset()

    def train(
        self, training: Training, on_result: OnResult, chief: Optional[Chief] = None
    ) -> None:
        """Trains, or goes on from the last checkpoint in the folder of the training.

        Args:
          training: what to train.
          on_result: called with (training, step, test accuracy) after each evaluation.
          chief: lets the workers in, if there are any.

        Raises:
          DataError: if an image cannot be read.
        """
        estimator = self._estimator(training)
        listener = EvalCheckpointSaverListener(
            estimator,
            pipelines.eval_input_fn(self.dataset),
            on_result=lambda step, found: on_result(
                training.name, step, found['accuracy']
            ),
        )
        saver = self._saver(estimator.model_dir, listener)
        hooks = [*self._hooks(training), saver]
        with contextlib.ExitStack() as stack:
            stack.enter_context(pipelines.named_errors(self.dataset))
            if chief is not None:
                # Behind the saver: the first checkpoint is older than all steps.
                opening = chief.training(training.published())
                hooks.append(stack.enter_context(opening))
            self._fit(estimator, training, hooks)
        if not listener.results:
            # Trained before, by a run that was stopped on its way to the evaluation.
            listener.after_save(None, training.steps)

    def join(self, published: Published) -> None:
        """Trains as a worker in what the chief has published.

        Raises:
          DataError: if an image cannot be read.
        """
        training = Training.of(published)
        self._part.say(f'{training.name}: joined')
        with contextlib.ExitStack() as stack:
            stack.enter_context(pipelines.named_errors(self.dataset))
            hooks = []
            if self._task is not None and self._task.in_step:
                # Saving reads statistics of all copies, so all save at the same time.
                unused = stack.enter_context(tempfile.TemporaryDirectory())
                hooks.append(self._saver(unused))
            self._fit(self._estimator(training), training, hooks)
        self._part.say(f'{training.name}: left')

    def _fit(
        self,
        estimator: tf.estimator.Estimator,
        training: Training,
        hooks: List[tf.train.SessionRunHook],
    ) -> None:
        settings = self._settings
        # Each worker goes through the data in its own order.
        seed = settings.seed + (self._task.number if self._task else 0)
        data = pipelines.train_input_fn(self.dataset, settings.batch_size, seed)
        if self._watch is None:
            estimator.train(data, max_steps=training.steps, hooks=hooks)
            return
        self._watch.wake()
        tf.estimator.train_and_evaluate(
            estimator,
            tf.estimator.TrainSpec(data, training.steps, [*hooks, self._watch]),
            tf.estimator.EvalSpec(pipelines.eval_input_fn(self.dataset)),
        )
        self._watch.rest()

    def _saver(
        self, folder: str, *listeners: tf.train.CheckpointSaverListener
    ) -> tf.train.SessionRunHook:
        return tf.train.CheckpointSaverHook(
            folder,
            save_steps=self._settings.checkpoint_steps,
            listeners=list(listeners),
        )

    def _hooks(self, training: Training) -> List[tf.train.SessionRunHook]:
        hooks: List[tf.train.SessionRunHook] = [
            ProgressHook(
                training.steps,
                'loss:0',
                training.name,
                PROGRESS_SECONDS,
                self._part.say,
            )
        ]
        if training.plan is not None:
            folder = os.path.join(self._part.folder, training.name)
            hooks.append(PruningHook(training.plan, summary_dir=folder))
        return hooks

    def _estimator(self, training: Training) -> tf.estimator.Estimator:
        copies = self._settings.devices
        config = tf.estimator.RunConfig(
            train_distribute=self._strategy(),
            session_config=devices.session_config(copies) if copies else None,
            tf_random_seed=self._settings.seed,
            # `_saver` does it.
            save_checkpoints_steps=None,
            save_checkpoints_secs=None,
            keep_checkpoint_max=2,
            # Workers are let in when there is something to do for them.
            experimental_max_worker_delay_secs=0,
            session_creation_timeout_secs=max(1, int(self._part.seconds)),
        )
        return tf.estimator.Estimator(
            model_fn=classifier.model_fn,
            model_dir=os.path.join(self._part.folder, training.name),
            config=_unoptimized(config),
            params={
                'config': self._settings.model_config(
                    self.dataset.classes, training.widths
                ),
                'optimizer': self._settings.optimizer,
                'weight_decay': self._settings.weight_decay,
                'l1_decay': training.l1_decay,
                'pretrained_model_path': training.checkpoint,
                'learning_rate': training.learning_rate,
                'train_steps': training.steps,
                'parts': len(self._task.cluster.get(PS, ())) if self._task else 1,
            },
        )

    def _strategy(self) -> Optional[tf.distribute.Strategy]:
        if self._task is not None and self._task.in_step:
            return tf.distribute.experimental.MultiWorkerMirroredStrategy()
        copies = self._settings.devices
        return devices.mirrored(copies) if copies else None


def _unoptimized(config: tf.estimator.RunConfig) -> tf.estimator.RunConfig:
    """Lets sessions run graphs as they are.

    To optimize each of the many graphs takes longer than the short trainings gain.
    """
    session = config.session_config or tf.ConfigProto(allow_soft_placement=True)
    session.graph_options.rewrite_options.disable_meta_optimizer = True
    session.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    return config.replace(session_config=session)
