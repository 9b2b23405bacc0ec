"""Tables of widths as files, and digests of the network and samples they are of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from typing import Callable, Iterable, Optional

import numpy as np

from tf1pruning import files, typed
from tf1pruning.choosing.width_table import Tried, WidthTable
from tf1pruning.errors import PlanError
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.scoring.batches import Batches, content
from tf1pruning.steps import data_scores

_FORMAT = 1


def save(table: WidthTable, path: files.Path) -> None:
    """Writes a table as JSON, a line for each group.

    Raises:
      OutputError: if the file cannot be written.
    """
    head = {'format': _FORMAT, **dataclasses.asdict(table)}
    groups = ',\n  '.join(json.dumps(group) for group in head.pop('groups'))
    files.write_text(
        os.fspath(path), f'{json.dumps(head)[:-1]}, "groups": [\n  {groups}\n]}}\n'
    )


def load(path: files.Path) -> WidthTable:
    """Reads a table.

    Raises:
      PlanError: if the file is missing or is no table; names what is wrong with it.
    """
    name = os.fspath(path)
    try:
        fields = typed.versioned(files.read_json(name), 'format', _FORMAT)
        return typed.from_json(WidthTable, fields)
    except (OSError, ValueError, PlanError) as error:
        raise PlanError(
            f'Table of widths {name!r} cannot be read: {files.reason(error)}. Remove '
            'it, or give another file: the table is then measured.'
        ) from error


class TriedPlans:
    """Keeps what plans change, in a table and its file.

    Args:
      table: of the widths that the plans are made of.
      path: of its file; None: there is none.
      samples: on which plans are tried.
    """

    def __init__(
        self,
        table: WidthTable,
        path: Optional[files.Path],
        samples: Iterable[Batches],
    ):
        self._table, self._path = table, path
        self._samples = digest_of(samples)

    def change(self, plan: Plan, measure: Callable[[], float]) -> float:
        """What a plan changes: as is known, or measured and kept.

        Raises:
          OutputError: if the file cannot be written.
        """
        what = [self._samples, [[group.name, *group.removed] for group in plan.groups]]
        name = hashlib.blake2b(json.dumps(what).encode(), digest_size=8).hexdigest()
        known = {tried.digest: tried.change for tried in self._table.tried}
        if name in known:
            return known[name]
        change = measure()
        tried = (*self._table.tried, Tried(name, change))
        self._table = dataclasses.replace(self._table, tried=tried)
        if self._path is not None:
            save(self._table, self._path)
        return change


def digest(model: Model) -> str:
    """Names a model by its graph and its weights.

    Raises:
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    found = hashlib.blake2b(digest_size=8)
    found.update(model.graph.graph_def.SerializeToString(deterministic=True))
    weights = json.dumps([data_scores.digests(model), list(model.graph.outputs)])
    found.update(weights.encode())
    return found.hexdigest()


def digest_of(parts: Iterable[Batches]) -> str:
    """Names samples by all that they hold, part by part."""
    found = hashlib.blake2b(digest_size=8)
    for part in parts:
        found.update(b'part')
        for batch in part.start():
            for name, value in sorted(batch.items()):
                array = np.asarray(value)
                found.update(f'{name} {array.dtype} {array.shape}'.encode())
                found.update(content(array))
    return found.hexdigest()
