"""Trains the networks of a run in step with other machines, one process a training."""

from __future__ import annotations

import dataclasses
from typing import Callable

from demo.training.trainer import OnResult, Part, Training
from tf1pruning import plan_json
from tf1pruning.cluster import members
from tf1pruning.cluster.publication import Chief, Follower, Published
from tf1pruning.errors import WorkflowError

# Most attempts of one training that lose a task.
MOST_ATTEMPTS = 10
_MEMBER = 'demo.training.member'


class InStepTrainer:
    """Trains like a `Trainer`, in members: processes that each do one training.

    Args:
      part: this process, a task of a cluster.

    Raises:
      OptionError: if the folder of the data is missing, or the images are too small.
      DataError: if their files are missing, truncated, or not what they should be.
    """

    def __init__(self, part: Part):
        assert part.task is not None
        self._say = part.say
        self._order = {
            'settings': part.settings.as_json(),
            'folder': part.folder,
            'task': dataclasses.asdict(part.task),
            'seconds': part.seconds,
        }
        self.dataset = part.settings.load_dataset()

    def train(self, training: Training, on_result: OnResult, chief: Chief) -> None:
        """Trains as the chief, or goes on from the last checkpoint.

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
                if self._run(published, on_message, is_lost, plan):
                    return
            self._say(f'{training.name}: a task was lost; starting again')
        raise WorkflowError(
            f'{training.name!r} lost a task {MOST_ATTEMPTS} times. Read what the other '
            'tasks print and give this command again: the run goes on from its last '
            'checkpoint.'
        )

    def follow(self, follower: Follower) -> None:
        """A worker's part: it joins every training of the chief.

        Raises:
          WorkflowError: if another task does not answer in time.
        """
        for found in follower.trainings():
            done = self._run(
                found,
                lambda message: self._say(message['say']),
                lambda: not follower.is_open(),
            )
            if not done:
                follower.fail()

    def _run(
        self,
        published: Published,
        on_message: Callable[[members.Message], None],
        is_over: Callable[[], bool],
        plan: str = '',
    ) -> bool:
        order = {
            **self._order,
            'training': dataclasses.asdict(published),
            'plan': plan,
        }
        return members.run(_MEMBER, order, on_message, is_over)
