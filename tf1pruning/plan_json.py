"""Plans as JSON files, one line per group."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Optional, Tuple

from tf1pruning import files
from tf1pruning.errors import OptionError, PlanError
from tf1pruning.plan import Cut, GroupPlan, Plan

_FORMAT = 2


def save_plan(plan: Plan, path: files.Path) -> None:
    """Writes a plan as JSON.

    Raises:
      OutputError: if the file cannot be written.
    """
    files.write_text(os.fspath(path), to_json(plan))


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
    try:
        return Plan(
            fingerprint=_field(fields, 'fingerprint', str),
            mode=_field(fields, 'mode', str),
            channel_multiple=_field(fields, 'channel_multiple', int),
            threshold=_optional_number(fields, 'threshold'),
            groups=tuple(
                _group_from(group) for group in _field(fields, 'groups', list)
            ),
        )
    except (PlanError, OptionError) as error:
        raise PlanError(f'{name!r} is damaged: {error} Make a new plan.') from error


def _group_from(fields: Any) -> GroupPlan:
    return GroupPlan(
        name=_field(fields, 'name', str),
        kind=_field(fields, 'kind', str),
        width=_field(fields, 'width', int),
        removed=_integers(_field(fields, 'removed'), 'removed'),
        wanted=_field(fields, 'wanted', int),
        capped=_field(fields, 'capped', bool),
        cuts=tuple(map(_cut_from, _field(fields, 'cuts', list))),
    )


def _cut_from(fields: Any) -> Cut:
    entries = _field(fields, 'entries', list)
    return Cut(
        variable=_field(fields, 'variable', str),
        axis=_field(fields, 'axis', int),
        size=_field(fields, 'size', int),
        role=_field(fields, 'role', str),
        entries=tuple(_integers(entry, 'entries') for entry in entries),
    )


def _field(fields: Any, name: str, *types: type) -> Any:
    """A field of one of some types; PlanError if it is missing or of another."""
    if not isinstance(fields, dict):
        raise PlanError(f'Expected an object with field {name!r}, found {fields!r}.')
    if name not in fields:
        raise PlanError(f'The field {name!r} is missing.')
    value = fields[name]
    if types and type(value) not in types:
        expected = ' or '.join(kind.__name__ for kind in types)
        raise PlanError(f'Field {name!r} is {value!r}; expected {expected}.')
    return value


def _optional_number(fields: Any, name: str) -> Optional[float]:
    value = _field(fields, name, float, int, type(None))
    try:
        return None if value is None else float(value)
    except OverflowError:
        raise PlanError(f'Field {name!r} is larger than any float.') from None


def _integers(values: Any, name: str) -> Tuple[int, ...]:
    if not isinstance(values, list) or any(type(value) is not int for value in values):
        raise PlanError(f'Field {name!r} is {values!r}; expected a list of integers.')
    return tuple(values)
