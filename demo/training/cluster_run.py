"""Does the part of a task of a cluster: leads, joins trainings, or holds variables.

A cluster with ps tasks trains asynchronously. Without them all tasks take each step
together.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Callable, Dict

from demo.training.in_step import InStepTrainer
from demo.training.trainer import Part, Train, Trainer
from tf1pruning.cluster import tasks
from tf1pruning.cluster.publication import Chief, Follower
from tf1pruning.cluster.step_watch import StepWatch
from tf1pruning.cluster.tasks import Task
from tf1pruning.data.dataset import Dataset

# Does everything but the trainings, given a function that trains, and the images.
Lead = Callable[[Train, Dataset], None]


def take_part(part: Part, lead: Lead) -> None:
    """Does the part of one task of a cluster.

    Args:
      part: this process.
      lead: what the chief does.

    Raises:
      OptionError: if the chief has other settings, or the data do not go with them.
      DataError: if files of the data are missing, or not what they should be.
      WorkflowError: if another task does not answer in time; names it.
    """
    assert part.task is not None
    shared = {
        'task': part.task,
        'folder': part.folder,
        'settings': part.settings.as_json(),
        'seconds': part.seconds,
    }
    take = _take_part_in_step if part.task.in_step else _take_part
    take(part, part.task, lead, shared)


def _take_part(part: Part, task: Task, lead: Lead, shared: Dict[str, Any]) -> None:
    server = task.serve()
    part.say(f'{task.name} serves at {server.target}')
    os.environ['TF_CONFIG'] = task.tf_config()
    follower = Follower(**shared)
    if task.type == tasks.PS:
        follower.wait_until_done()
        return
    watch = StepWatch(task, part.seconds)
    trainer = Trainer(part, watch)
    if task.type == tasks.WORKER:
        watch.run(lambda: _follow(trainer, follower), follower.is_done)
        return
    forget = functools.partial(tasks.forget_variables, server, task, part.seconds)
    with Chief(**shared, forget=forget) as chief:
        train = functools.partial(trainer.train, chief=chief)
        watch.run(lambda: lead(train, trainer.dataset))
        chief.done()


def _follow(trainer: Trainer, follower: Follower) -> None:
    for found in follower.trainings():
        trainer.join(found)


def _take_part_in_step(
    part: Part, task: Task, lead: Lead, shared: Dict[str, Any]
) -> None:
    part.say(f'{task.name} trains in step with {", ".join(task.addresses())}')
    trainer = InStepTrainer(part)
    if task.type == tasks.WORKER:
        trainer.follow(Follower(**shared))
        return
    with Chief(**shared) as chief:
        train = functools.partial(trainer.train, chief=chief)
        lead(train, trainer.dataset)
        chief.done()
