"""Records in a JSON file what a long run has finished, so that it can be resumed."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Dict, List, Tuple

from tf1pruning import files
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
    """

    settings: Record
    steps: Tuple[Record, ...] = ()
    evaluations: Dict[str, Dict[str, float]] = dataclasses.field(default_factory=dict)

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
        """
        found = self.evaluations[training]
        return found[str(min(int(done) for done in found if int(done) >= step))]

    def save(self, path: str) -> None:
        """Writes the state; a kill leaves the old file or the new one, whole.

        Raises:
          OutputError: if it cannot be written.
        """
        files.write_json(path, {'version': VERSION, **dataclasses.asdict(self)})


def load_or_new(path: str, settings: Record) -> RunState:
    """The state in `path`, or a new one if there is no such file.

    Raises:
      OptionError: if the file was made with other settings, which are named.
      DataError: if it is damaged, or no state of this version.
    """
    if not os.path.exists(path):
        return RunState(settings)
    state = _load(path)
    changed = changes(state.settings, settings)
    if changed:
        raise OptionError(
            f'{path!r} belongs to a run with other settings ({", ".join(changed)}). '
            'Give the same settings to go on with that run, or another output folder.'
        )
    return state


def _load(path: str) -> RunState:
    try:
        with open(path, encoding='utf-8') as file:
            data = json.load(file)
        if data['version'] != VERSION:
            raise ValueError(f'version {data["version"]}, expected {VERSION}')
        return RunState(
            settings=data['settings'],
            steps=tuple(data['steps']),
            evaluations=data['evaluations'],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{path!r} is not the state of a run ({error}). Delete it to start again, '
            'or give another output folder.'
        ) from error


def changes(old: Record, new: Record) -> List[str]:
    """`setting: old value then, new value now` for each that differs."""
    return [
        f'{key}: {old.get(key)!r} then, {new.get(key)!r} now'
        for key in sorted(set(old) | set(new))
        if old.get(key) != new.get(key)
    ]
