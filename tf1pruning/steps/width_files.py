"""Tables of widths as files, and digests of the network and samples they are of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from typing import Iterable

import numpy as np

from tf1pruning import files, typed
from tf1pruning.choosing.width_table import WidthTable
from tf1pruning.errors import PlanError
from tf1pruning.models.model import Model
from tf1pruning.scoring.batches import Batches
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
                is_text = array.dtype.kind in 'OU'
                raw = repr(array.tolist()).encode() if is_text else array.tobytes()
                found.update(raw)
    return found.hexdigest()
