"""Trains the networks of a run in step with other machines, one process a training."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict

from demo.training.settings import Settings
from demo.training.trainer import OnResult, Training
from tf1pruning import plan_json
from tf1pruning.cluster import members
from tf1pruning.cluster.publication import Chief, Follower, Published
from tf1pruning.cluster.tasks import Task
from tf1pruning.errors import WorkflowError

# Most attempts of one training that lose a task.
MOST_ATTEMPTS = 10
_MEMBER = 'demo.training.member'


class InStepTrainer:
    """Trains like a `Trainer`, by way of members.

    Args:
      settings: of the run.
      output_dir: the trainings' folders lie in it.
      say: prints a line of progress.
      task: this process.
      seconds: longest time that a member waits for another task.

    Raises:
      OptionError: if the folder of the data is missing, or the images are too small.
      DataError: if their files are missing, truncated, or not what they should be.
    """

    def __init__(
        self,
        settings: Settings,
        output_dir: str,
        say: Callable[[str], None],
        task: Task,
        seconds: float,
    ):
        self._say = say
        self._order = {
            'settings': settings.as_json(),
            'folder': output_dir,
            'task': dataclasses.asdict(task),
            'seconds': seconds,
            'plan': '',
        }
        self.dataset = settings.load_dataset()

    def train(
        self,
        training: Training,
        on_result: OnResult,
        chief: Chief,
    ) -> None:
        """Trains as the chief, or goes on with what was begun.

        Args:
          training: what to train.
          on_result: called with (training, step, test accuracy) after each evaluation.
          chief: starts the others.

        Raises:
          WorkflowError: if another task does not answer in time, or is lost too often.
        """

        def on_message(message: members.Message) -> None:
            if 'result' in message:
                on_result(*message['result'])
            else:
                self._say(message['say'])

        published = training.published()
        plan = plan_json.to_json(training.plan) if training.plan else ''
        for _ in range(MOST_ATTEMPTS):
            with chief.attempt(published) as is_lost:
                if self._run({'plan': plan}, published, on_message, is_lost):
                    return
            self._say(f'{training.name}: a task was lost; starting again')
        raise WorkflowError(
            f'{training.name!r} lost a task {MOST_ATTEMPTS} times. See what the others '
            'say and give this command again: the run goes on from its last checkpoint.'
        )

    def follow(self, follower: Follower) -> None:
        """A worker's part: it joins every training of the chief.

        Raises:
          WorkflowError: if another task does not answer in time.
        """
        for found in follower.trainings():
            done = self._run(
                {},
                found,
                lambda message: self._say(message['say']),
                lambda: not follower.is_open(),
            )
            if not done:
                follower.fail()

    def _run(
        self,
        order: Dict[str, Any],
        published: Published,
        on_message: Callable[[members.Message], None],
        is_over: Callable[[], bool],
    ) -> bool:
        training = {'training': dataclasses.asdict(published)}
        return members.run(
            _MEMBER, {**self._order, **training, **order}, on_message, is_over
        )
