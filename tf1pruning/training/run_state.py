"""Records in a JSON file what a long run has finished, so that it can be resumed."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List, Tuple

from tf1pruning import files, typed
from tf1pruning.errors import DataError, OptionError

VERSION = 1

Record = Dict[str, Any]


@dataclasses.dataclass(frozen=True)
class RunState:
    """Finished parts of a run. `with_...` returns the state after one more part.

    Attributes:
      settings: what decides the outcome of the run; JSON values only.
      steps: records of the finished threshold steps, in order.
      evaluations: training -> {global step: accuracy}; the steps are strings, as
        JSON has them.

    Raises:
      DataError: if a global step is no number.
    """

    settings: Record
    steps: Tuple[Record, ...] = ()
    evaluations: Dict[str, Dict[str, float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        steps = [step for found in self.evaluations.values() for step in found]
        wrong = [step for step in steps if not step.isdecimal()]
        if wrong:
            raise DataError(f'{wrong[0]!r} is no global step')

    def with_step(self, record: Record) -> RunState:
        """The state after one more threshold step."""
        return dataclasses.replace(self, steps=self.steps + (dict(record),))

    def with_evaluation(self, training: str, step: int, accuracy: float) -> RunState:
        """The state after one more evaluation of `training`."""
        known = {**self.evaluations.get(training, {}), str(step): accuracy}
        evaluations = {**self.evaluations, training: known}
        return dataclasses.replace(self, evaluations=evaluations)

    def is_evaluated(self, training: str, step: int) -> bool:
        """Whether the accuracy of `training` at a global step or later is known."""
        return any(int(done) >= step for done in self.evaluations.get(training, {}))

    def accuracy(self, training: str, step: int) -> float:
        """Accuracy of `training` at the first evaluation from a global step on.

        Where many workers train at once, the last step may lie beyond the wanted one.

        Raises:
          DataError: if there is none.
        """
        found = self.evaluations.get(training, {})
        later = [done for done in found if int(done) >= step]
        if not later:
            raise DataError(
                f'The state of the run has no accuracy of {training!r} from step '
                f'{step} on. Delete it to start again, or give another output folder.'
            )
        return found[min(later, key=int)]

    def save(self, path: str) -> None:
        """Writes the state; a kill leaves the old file or the new one, whole.

        Raises:
          OutputError: if it cannot be written.
        """
        files.write_json(path, {'version': VERSION, **dataclasses.asdict(self)})


def load_or_new(path: str, settings: Record, step: type) -> RunState:
    """The state in `path`, or a new one if there is no such file.

    Args:
      path: of the file.
      settings: of this run.
      step: dataclass of the records of finished steps.

    Raises:
      OptionError: if the file was made with other settings, which are named.
      DataError: if it is damaged, or no state of this version.
    """
    if not os.path.exists(path):
        return RunState(settings)
    state = _load(path, step)
    changed = changes(state.settings, settings)
    if changed:
        raise OptionError(
            f'{path!r} belongs to a run with other settings ({", ".join(changed)}). '
            'Give the same settings to go on with that run, or another output folder.'
        )
    return state


def _load(path: str, step: type) -> RunState:
    try:
        fields = typed.versioned(files.read_json(path), 'version', VERSION)
        state = typed.from_json(RunState, fields)
        for record in state.steps:
            typed.from_json(step, record)
        return state
    except (OSError, ValueError, DataError) as error:
        raise DataError(
            f'{path!r} is not the state of a run ({files.reason(error)}). Delete it to '
            'start again, or give another output folder.'
        ) from error


def changes(old: Record, new: Record) -> List[str]:
    """`setting: old value then, new value now` for each that differs."""
    return [
        f'{key}: {old.get(key)!r} then, {new.get(key)!r} now'
        for key in sorted(set(old) | set(new))
        if old.get(key) != new.get(key)
    ]
