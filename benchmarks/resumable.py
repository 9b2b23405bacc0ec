"""What an experiment has found so far: a JSON file that grows piece by piece.

A run that was stopped goes on behind its last finished piece. The file is replaced as
a whole each time, so that a kill leaves the older one.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Callable, Dict, Mapping

from tf1pruning import files
from tf1pruning.errors import DataError

Found = Mapping[str, Any]


class Pieces:
    """Does the pieces of an experiment, each of them once.

    Args:
      path: of the JSON file.
      settings: what the findings depend on, as JSON gives it back.

    Raises:
      DataError: if the file is damaged, or of other settings.
    """

    def __init__(self, path: str, settings: Mapping[str, Any]):
        self._path = path
        self._settings = dict(settings)
        self._found: Dict[str, Found] = {}
        if os.path.exists(path):
            self._found = _load(path, self._settings)

    def do(self, name: str, work: Callable[..., Found], *args: Any) -> Found:
        """What a piece finds, or found in an earlier run, with the `seconds` it took.

        Args:
          name: of the piece.
          work: finds it; what it returns goes into JSON.
          *args: for `work`.

        Raises:
          OutputError: if the file cannot be written.
        """
        if name not in self._found:
            started = time.monotonic()
            found = dict(work(*args))
            found['seconds'] = round(time.monotonic() - started, 1)
            self._found[name] = found
            value = {'settings': self._settings, 'pieces': self._found}
            files.write_json(self._path, value)
            print(name, json.dumps(found), flush=True)
        return self._found[name]

    @property
    def seconds(self) -> float:
        """Of all pieces together."""
        return sum(found['seconds'] for found in self._found.values())


def _load(path: str, settings: Mapping[str, Any]) -> Dict[str, Found]:
    try:
        with open(path, encoding='utf-8') as file:
            value = json.load(file)
        known, found = value['settings'], dict(value['pieces'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{path!r} holds no pieces of an experiment: {error}. Remove it.'
        ) from error
    if known != settings:
        raise DataError(
            f'{path!r} is of a run with {known}, and this one has {dict(settings)}. '
            'Choose another --output_dir.'
        )
    return found
