"""Plans as JSON files, one line per group."""

from __future__ import annotations

import dataclasses
import json
import os

from tf1pruning import files, typed
from tf1pruning.errors import PlanError
from tf1pruning.plan import Plan

_FORMAT = 2


@typed.checked
def save_plan(plan: Plan, path: files.Path) -> None:
    """Writes a plan as JSON.

    Raises:
      OutputError: if the file cannot be written.
    """
    files.write_text(os.fspath(path), to_json(plan))


@typed.checked
def load_plan(path: files.Path) -> Plan:
    """Reads a plan.

    Raises:
      PlanError: if the file is missing or is no plan; names what is wrong with it.
    """
    path = os.fspath(path)
    try:
        text = files.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(
            f'Plan {path!r} cannot be read: {files.reason(error)}. Expected a '
            'plan.json, or a Pruned_Filters.json.'
        ) from error
    return from_json(text, path)


def to_json(plan: Plan) -> str:
    """A plan as JSON text, one line per group."""
    head = {'format': _FORMAT, **dataclasses.asdict(plan)}
    groups = ',\n  '.join(json.dumps(group) for group in head.pop('groups'))
    fields = json.dumps(head)[:-1]
    return f'{fields}, "groups": [\n  {groups}\n]}}\n'


def from_json(text: str, name: str = 'plan') -> Plan:
    """The plan that `to_json` wrote.

    Args:
      text: JSON.
      name: of the file, for messages.

    Raises:
      PlanError: if the text is no plan; names what is wrong with it.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError(f'{name!r} is not JSON ({error}). Make a new plan.') from error
    if not isinstance(fields, dict) or fields.get('format') != _FORMAT:
        raise PlanError(
            f'{name!r} is not a plan of format {_FORMAT}. Expected a '
            'Pruned_Filters.json that this version wrote.'
        )
    del fields['format']
    try:
        return typed.from_json(Plan, fields)
    except (PlanError, ValueError) as error:
        said = files.reason(error)
        raise PlanError(f'{name!r} is damaged: {said}. Make a new plan.') from error
