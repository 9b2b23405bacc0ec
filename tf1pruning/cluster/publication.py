"""The chief of a run tells the other tasks in a file what is trained.

The chief writes the whole file `cluster/published.json` in the folder of the run, which
all tasks must see. A training is `open` when its variables are set and workers may
join, `closed` when it has ended; the run is `done` when no training follows. A worker
that left a training says so in `cluster/<task>.json`. The chief waits for all workers
that live before it starts the next one, so that none writes old gradients into it.

Tasks that train in step begin an attempt together. When one of them fails, the chief
closes the attempt for all and opens the next, which goes on from the last checkpoint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from typing import Any, Callable, Dict, Iterator, Optional, Type, TypeVar

import tensorflow.compat.v1 as tf

from tf1pruning import files, typed
from tf1pruning.cluster import tasks
from tf1pruning.cluster.tasks import Task
from tf1pruning.errors import DataError, OptionError, WorkflowError
from tf1pruning.training import run_state

OPEN, CLOSED, DONE = 'open', 'closed', 'done'
FOLDER = 'cluster'
# Longest time between two signs of life.
BEAT_SECONDS = 2.0

Value = TypeVar('Value')


@typed.checked
@dataclasses.dataclass(frozen=True)
class Published:
    """A training, as workers need to know it.

    Attributes:
      name: of the training.
      checkpoint: prefix of the one that it starts from; '': from nothing.
      details: what else they need; JSON values only.
    """

    name: str = ''
    checkpoint: str = ''
    details: Dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Publication:
    """What the chief publishes.

    Attributes:
      settings: of the run; JSON values only.
      number: of the training, counted from 1 over all starts of the chief.
      training: that it is about.
      state: OPEN, CLOSED or DONE.
      beat: grows while the chief lives.
    """

    settings: Dict[str, Any]
    number: int = 0
    training: Published = Published()
    state: str = CLOSED
    beat: int = 0


@dataclasses.dataclass(frozen=True)
class Presence:
    """What a worker says of itself, by numbers of trainings; 0: none yet.

    Attributes:
      joined: the last that it joined.
      left: the last that it left.
      failed: the last that it left before its end.
    """

    joined: int = 0
    left: int = 0
    failed: int = 0


def path_in(folder: str, name: str = 'published') -> str:
    """The file of the chief of a run in `folder`, or of the worker of a name."""
    return os.path.join(folder, FOLDER, f'{name}.json')


def read(folder: str) -> Optional[Publication]:
    """What is published in the folder of a run; None: nothing yet.

    Raises:
      DataError: if the file is damaged.
    """
    advice = 'Delete it and start the chief again.'
    return _read(path_in(folder), Publication, advice)


def _presence(folder: str, name: str) -> Presence:
    """What a worker has written."""
    return _read(path_in(folder, name), Presence, 'Delete it.') or Presence()


def _read(path: str, kind: Type[Value], advice: str) -> Optional[Value]:
    try:
        return typed.from_json(kind, files.read_json(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        said = files.reason(error)
        raise DataError(f'{path!r} is damaged ({said}). {advice}') from error


@typed.checked
class Chief:
    """Publishes trainings; as a context it also gives signs of life.

    Args:
      task: this process.
      folder: of the run.
      settings: of the run; JSON values only.
      seconds: longest time to wait for a worker to leave a training.
      forget: drops the variables of a training; the next one may have others of the
        same names.

    Raises:
      DataError: if what an earlier chief published is damaged.
    """

    def __init__(
        self,
        task: Task,
        folder: str,
        settings: Dict[str, Any],
        seconds: float,
        forget: Callable[[], None] = lambda: None,
    ):
        self._task = task
        self._folder = folder
        self._seconds = seconds
        self._forget = forget
        before = read(folder) or Publication(settings)
        # Of a chief that died in a training.
        self._interrupted = before.training.name if before.state == OPEN else None
        self._now = dataclasses.replace(before, settings=settings)
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def __enter__(self) -> Chief:
        self._publish(state=CLOSED)
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    @contextlib.contextmanager
    def training(self, training: Published) -> Iterator[tf.train.SessionRunHook]:
        """A training that workers join, when they have left the one before.

        Args:
          training: what they join.

        Yields:
          A hook for the chief's training, which lets the workers in.

        Raises:
          WorkflowError: if a worker does not leave in time; names all such.
          OutputError: if nothing can be published.
        """
        if self._interrupted != training.name:
            self._wait_until_left()
            self._forget()
        self._interrupted = None
        number = self._now.number + 1
        yield _Opening(
            lambda: self._publish(number=number, training=training, state=OPEN)
        )
        self._publish(number=number, state=CLOSED)

    @contextlib.contextmanager
    def attempt(self, training: Published) -> Iterator[Callable[[], bool]]:
        """A training that workers begin together with the chief.

        Args:
          training: what they join.

        Yields:
          Whether a worker has failed since.

        Raises:
          WorkflowError: if a worker does not leave the attempt before; names all such.
        """
        self._wait_until_left()
        number = self._now.number + 1
        self._publish(number=number, training=training, state=OPEN)
        try:
            yield lambda: any(
                _presence(self._folder, name).failed == number
                for name in self._task.addresses((tasks.WORKER,))
            )
        finally:
            self._publish(number=number, state=CLOSED)

    def done(self) -> None:
        """Publishes that nothing follows.

        Raises:
          OutputError: if that cannot be written.
        """
        self._publish(state=DONE)

    def _wait_until_left(self) -> None:
        # A task that takes no call is dead, and will read later that this is closed.
        deadline = time.monotonic() + self._seconds
        workers = self._task.addresses((tasks.WORKER,))
        while True:
            inside = [
                f'{name} at {address}'
                for name, address in workers.items()
                if _presence(self._folder, name).left < self._now.number
                and tasks.is_there(address)
            ]
            if not inside:
                return
            if time.monotonic() > deadline:
                name = self._now.training.name
                raise WorkflowError(
                    f'{self._task.name} waited {self._seconds:g} s for '
                    f'{", ".join(inside)} to leave the training {name!r}. End these '
                    'tasks and give this command again: the run goes on from its last '
                    'checkpoint.'
                )
            time.sleep(tasks.POLL_SECONDS)

    def _beat(self) -> None:
        while not self._stopped.wait(min(self._seconds / 8, BEAT_SECONDS)):
            self._publish()

    def _publish(self, **changes: Any) -> None:
        with self._lock:
            beat = self._now.beat + 1
            self._now = dataclasses.replace(self._now, beat=beat, **changes)
            files.write_json(path_in(self._folder), dataclasses.asdict(self._now))


class _Opening(tf.train.SessionRunHook):
    """Calls `act` once, when the variables of the first session are set."""

    def __init__(self, act: Callable[[], None]):
        self._act = act
        self._is_open = False

    def after_create_session(
        self, session: tf.Session, coord: tf.train.Coordinator
    ) -> None:
        # Called again for the session that replaces a broken one.
        if not self._is_open:
            self._is_open = True
            self._act()


@typed.checked
class Follower:
    """Joins the trainings of a chief.

    Args:
      task: this process.
      folder: of the run.
      settings: of the run, as this process knows them.
      seconds: longest time without a sign of the chief.

    Raises:
      DataError: if the file in which the task says what it left is damaged.
    """

    def __init__(
        self, task: Task, folder: str, settings: Dict[str, Any], seconds: float
    ):
        self._task = task
        self._folder = folder
        self._settings = settings
        self._seconds = seconds
        self._presence = _presence(folder, task.name)
        if task.in_step and self._presence.joined > self._presence.left:
            # Killed in an attempt, which the others cannot go on with.
            self._leave(self._presence.joined, failed=True)

    def is_open(self) -> bool:
        """Whether the training that was joined last goes on."""
        found, joined = read(self._folder), self._presence.joined
        return found is not None and (found.number, found.state) == (joined, OPEN)

    def is_done(self) -> bool:
        """Whether the chief has published that nothing follows."""
        found = read(self._folder)
        return found is not None and found.state == DONE

    def fail(self) -> None:
        """Says that this task fails in the training that it has joined."""
        self._leave(self._presence.joined, failed=True)

    def trainings(self) -> Iterator[Published]:
        """The trainings to join, one after the other; each is left when it is done.

        Raises:
          WorkflowError: if the chief gives no sign of life in time.
          OptionError: if the chief has other settings; names them.
          OutputError: if the task cannot write that it left.
        """
        for found in self._signs():
            if found.number <= self._presence.left:
                continue
            if found.state == OPEN:
                self._write(joined=found.number)
                yield found.training
            if self._presence.left < found.number:
                self._leave(found.number, failed=False)

    def wait_until_done(self) -> None:
        """Waits for the end of the run.

        Raises:
          WorkflowError: if the chief gives no sign of life in time.
          OptionError: if the chief has other settings; names them.
        """
        for _ in self._signs():
            pass

    def _leave(self, number: int, failed: bool) -> None:
        before = self._presence.failed
        self._write(left=number, failed=number if failed else before)

    def _write(self, **changes: int) -> None:
        self._presence = dataclasses.replace(self._presence, **changes)
        path = path_in(self._folder, self._task.name)
        files.write_json(path, dataclasses.asdict(self._presence))

    def _signs(self) -> Iterator[Publication]:
        """What is published, each time that it changes, until the run is done."""
        # A chief that died may have left the first one.
        last = read(self._folder)
        deadline = time.monotonic() + self._seconds
        while last is None or last.state != DONE:
            if time.monotonic() > deadline:
                raise WorkflowError(self._message(last))
            time.sleep(tasks.POLL_SECONDS)
            found = read(self._folder)
            if found is None or found == last:
                continue
            self._check_settings(found)
            yield found
            last = found
            deadline = time.monotonic() + self._seconds

    def _check_settings(self, found: Publication) -> None:
        changed = run_state.changes(found.settings, self._settings)
        if changed:
            raise OptionError(
                f'{self._task.name} has other settings than its chief '
                f'({", ".join(changed)}). Give all tasks the same flags.'
            )

    def _message(self, last: Optional[Publication]) -> str:
        (address,) = self._task.cluster[tasks.CHIEF]
        path = path_in(self._folder)
        found = 'does not exist'
        if last is not None:
            name = last.training.name
            found = f'stays at training {last.number} ({name!r}, {last.state})'
        return (
            f'{self._task.name} waited {self._seconds:g} s for a sign of the chief at '
            f'{address}: {path!r} {found}. Start the chief again, with the same '
            'output folder on a disk that all tasks share.'
        )
