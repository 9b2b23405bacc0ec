"""Plans as JSON files, one line per group."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, List, Mapping, Optional, Tuple

from tf1pruning import files
from tf1pruning import plan as plan_lib
from tf1pruning.errors import OptionError, PlanError
from tf1pruning.plan import Cut, GroupPlan, Plan

_FORMAT = 1


def save(plan: Plan, path: str) -> None:
    """Writes a plan as JSON."""
    files.write_text(path, to_json(plan))


def load(path: str) -> Plan:
    """Reads a plan.

    Raises:
      PlanError: if the file is missing or is no plan.
    """
    try:
        with open(path, encoding='utf-8') as file:
            return from_json(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f'Plan {path!r} cannot be read: {error}.') from error
    except PlanError as error:
        raise PlanError(f'{path!r}: {error}') from error


def to_json(plan: Plan) -> str:
    """A plan as JSON text, one line per group."""
    head = {'format': _FORMAT, **dataclasses.asdict(plan)}
    groups = ',\n  '.join(json.dumps(group) for group in head.pop('groups'))
    fields = json.dumps(head)[:-1]
    return f'{fields}, "groups": [\n  {groups}\n]}}\n'


def from_json(text: str) -> Plan:
    """The plan that `to_json` wrote.

    Raises:
      PlanError: if the text is no plan; the message names what is missing.
    """
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise PlanError(f'not JSON ({error})') from error
    if not isinstance(fields, dict) or fields.get('format') != _FORMAT:
        raise PlanError(f'not a plan of format {_FORMAT}')
    try:
        return Plan(
            fingerprint=str(fields['fingerprint']),
            mode=fields['mode'],
            channel_multiple=plan_lib.check_multiple(fields['channel_multiple']),
            threshold=_optional(fields['threshold']),
            groups=tuple(_group_from(group) for group in fields['groups']),
        )
    except KeyError as error:
        raise PlanError(f'a plan without the field {error}') from error
    except (TypeError, ValueError, OptionError) as error:
        raise PlanError(f'a plan with a bad field: {error}') from error


def _optional(value: Optional[float]) -> Optional[float]:
    return None if value is None else float(value)


def _group_from(fields: Mapping[str, Any]) -> GroupPlan:
    return GroupPlan(
        name=str(fields['name']),
        kind=str(fields['kind']),
        width=int(fields['width']),
        removed=tuple(int(channel) for channel in fields['removed']),
        wanted=int(fields['wanted']),
        capped=bool(fields['capped']),
        cuts=tuple(_cut_from(cut) for cut in fields['cuts']),
    )


def _cut_from(fields: Mapping[str, Any]) -> Cut:
    rows: List[Tuple[int, ...]] = [
        tuple(int(index) for index in entry) for entry in fields['entries']
    ]
    return Cut(
        str(fields['variable']), int(fields['axis']), str(fields['role']), tuple(rows)
    )
