"""What each task of a cluster does in a run: leads, joins trainings, holds variables.

A cluster with ps tasks trains asynchronously, one without in step.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any, Callable, Dict

from demo.training.in_step import InStepTrainer
from demo.training.settings import Settings
from demo.training.trainer import Train, Trainer
from tf1pruning.cluster import tasks
from tf1pruning.cluster.publication import Chief, Follower
from tf1pruning.cluster.tasks import Task
from tf1pruning.data.dataset import Dataset

# Does everything but the trainings: with what trains, and the images.
Lead = Callable[[Train, Dataset], None]


@dataclasses.dataclass(frozen=True)
class Part:
    """One task of a run.

    Attributes:
      task: this process.
      settings: of the run.
      folder: of the run.
      seconds: longest time that it waits for another task.
      say: prints a line of progress.
    """

    task: Task
    settings: Settings
    folder: str
    seconds: float
    say: Callable[[str], None]

    def shared(self) -> Dict[str, Any]:
        """What the sides of a publication are made from."""
        return {
            'task': self.task,
            'folder': self.folder,
            'settings': self.settings.as_json(),
            'seconds': self.seconds,
        }


def take_part(part: Part, lead: Lead) -> None:
    """The part of one task.

    Args:
      part: which task.
      lead: what the chief does.

    Raises:
      OptionError: if the chief has other settings, or the data do not go with them.
      DataError: if files of the data are missing, or not what they should be.
      WorkflowError: if another task does not answer in time; names it.
    """
    if part.task.in_step:
        _take_part_in_step(part, lead)
    else:
        _take_part(part, lead)


def _take_part(part: Part, lead: Lead) -> None:
    task = part.task
    server = task.serve()
    part.say(f'{task.name} serves at {server.target}')
    os.environ['TF_CONFIG'] = task.tf_config()
    follower = Follower(**part.shared())
    if task.type == tasks.PS:
        follower.wait_until_done()
        return
    trainer = Trainer(part.settings, part.folder, part.say, task, part.seconds)
    if task.type == tasks.WORKER:
        trainer.run(lambda: _follow(trainer, follower))
        return
    forget = functools.partial(tasks.forget_variables, server, task, part.seconds)
    with Chief(**part.shared(), forget=forget) as chief:
        train = functools.partial(trainer.train, chief=chief)
        trainer.run(lambda: lead(train, trainer.dataset))
        chief.done()


def _follow(trainer: Trainer, follower: Follower) -> None:
    for found in follower.trainings():
        trainer.join(found)


def _take_part_in_step(part: Part, lead: Lead) -> None:
    task = part.task
    part.say(f'{task.name} trains in step with {", ".join(task.addresses())}')
    trainer = InStepTrainer(part.settings, part.folder, part.say, task, part.seconds)
    if task.type == tasks.WORKER:
        trainer.follow(Follower(**part.shared()))
        return
    with Chief(**part.shared()) as chief:
        train = functools.partial(trainer.train, chief=chief)
        lead(train, trainer.dataset)
        chief.done()
