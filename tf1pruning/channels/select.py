"""Selects the groups that a user means, by scope and by kind."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from tf1pruning import names
from tf1pruning.channels import blocks
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import PRODUCER
from tf1pruning.errors import GraphError, OptionError

AUTO = 'auto'
INNER = 'inner'
ALL = 'all'
WHICH = (AUTO, INNER, ALL)
# How many reasons of a kind a message gives.
_LISTED = 8


def check_which(which: str) -> str:
    """Returns `which`, one of `WHICH`.

    Raises:
      OptionError: if it is none of them.
    """
    if which not in WHICH:
        raise OptionError(
            f'groups is {which!r}; expected one of {names.quoted(WHICH)}.'
        )
    return which


def resolved(which: str, groups: Sequence[Group]) -> str:
    """'inner' or 'all'; 'auto' means inner groups where the model has such blocks.

    Raises:
      OptionError: if `which` is none of `WHICH`.
    """
    if check_which(which) != AUTO:
        return which
    return INNER if any(g.kind in blocks.INNER_KINDS for g in groups) else ALL


def groups_in_scopes(
    groups: Sequence[Group],
    scopes: Sequence[str],
    which: str = INNER,
    lost: Optional[Mapping[str, str]] = None,
) -> Dict[str, Tuple[Group, ...]]:
    """The groups that may be cut, by scope.

    Args:
      groups: all groups of a model.
      scopes: scope names; the empty one means the whole model.
      which: 'inner': the inner channels of inverted-residual and squeeze-and-excite
        blocks. 'all': every group, also those that adds and concats tie across blocks.
        'auto': see `resolved`.
      lost: layer whose channels could not be followed -> why; for messages.

    Returns:
      Scope as it was given -> its groups that may be cut. A group that lies in several
      scopes belongs to the first.

    Raises:
      GraphError: if a scope holds no such group; says what it holds instead, or which
        scopes come near it.
      OptionError: if `which` is none of these.
    """
    which = resolved(which, groups)
    meant = [g for g in groups if which == ALL or g.kind in blocks.INNER_KINDS]
    free = [group for group in meant if not group.frozen]
    problems = [
        _problem(scope, groups, meant, lost or {})
        for scope in scopes
        if not _within(free, scope)
    ]
    if problems or not scopes:
        raise GraphError(' '.join(problems) or 'No scopes are given. Name one or more.')
    taken: List[str] = []
    result = {}
    for scope in scopes:
        found = [group for group in _within(free, scope) if group.name not in taken]
        taken += [group.name for group in found]
        result[scope] = tuple(found)
    return result


def listed(groups: Sequence[Group], scopes: Sequence[str]) -> List[Group]:
    """The groups in any of the scopes, frozen ones included.

    Raises:
      GraphError: names every scope that holds none.
    """
    empty = [scope for scope in scopes if not _within(groups, scope)]
    if empty and any(scopes):
        known = [group.name for group in groups]
        hints = ' '.join(names.did_you_mean(scope, known) for scope in empty)
        raise GraphError(
            f'No group lies in the scopes {names.quoted(empty)}; scopes are whole '
            f'path components. {hints}'
        )
    return [g for g in groups if any(g.in_scope(scope) for scope in scopes)]


def _within(groups: Sequence[Group], scope: str) -> List[Group]:
    return [group for group in groups if group.in_scope(scope)]


def _problem(
    scope: str,
    groups: Sequence[Group],
    meant: Sequence[Group],
    lost: Mapping[str, str],
) -> str:
    frozen = [f'{g.name!r} {g.reasons[0]}' for g in _within(meant, scope)]
    gone = [
        f'layer {layer!r} cannot be followed, {why}'
        for layer, why in lost.items()
        if names.in_scope(layer, scope)
    ]
    if frozen or gone:
        # A layer that is lost comes first: it is why others are frozen.
        reasons = '; '.join((*gone[:_LISTED], *frozen[:_LISTED]))
        where = f'scope {scope!r}' if scope else 'the network'
        return f'In {where} nothing may be cut: {reasons}.'
    others = _within(groups, scope)
    known = [group.name for group in meant]
    if others:
        kinds = sorted({group.kind for group in others})
        some = f'Scopes that do: {names.quoted(known)}.'
        return (
            f'Scope {scope!r} holds no inverted-residual or squeeze-and-excite block; '
            f'it holds channels of kind {names.quoted(kinds)}. '
            f'{some if known else "The model has no such block."} '
            "Or choose groups='all'."
        )
    if not scope:
        return 'The network has no layer with a kernel that is a weight.'
    return (
        f'Scope {scope!r} matches nothing that makes channels. '
        f'{names.did_you_mean(scope.strip("/"), known)}'
    )


def unprotected(
    groups: Mapping[str, Group], patterns: Sequence[str]
) -> Dict[str, Group]:
    """The groups that no pattern protects.

    Args:
      groups: scope or group name -> group.
      patterns: regular expressions; each protects the groups in whose name, or in the
        name of one of whose producers, it is found.

    Raises:
      OptionError: on a bad pattern, one that protects nothing, or if all is protected.
    """
    kept = dict(groups)
    for pattern in patterns:
        try:
            found = re.compile(pattern)
        except re.error as error:
            raise OptionError(
                f'Pattern {pattern!r} is not a regular expression: {error}.'
            ) from error
        matched = [key for key, g in groups.items() if any(map(found.search, _own(g)))]
        if not matched:
            known = [group.name for group in groups.values()]
            raise OptionError(
                f'Pattern {pattern!r} protects no chosen group. Groups: '
                f'{names.quoted(known)}.'
            )
        for key in matched:
            kept.pop(key, None)
    if not kept:
        raise OptionError('All chosen groups are protected: nothing may be cut.')
    return kept


def _own(group: Group) -> List[str]:
    makers = [place.variable for place in group.places if place.role == PRODUCER]
    return [group.name, *makers]
