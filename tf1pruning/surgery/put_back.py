"""Puts weights of a stripped network back into the shapes from before stripping."""

from __future__ import annotations

from typing import Dict, Mapping, Sequence

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import Trace
from tf1pruning.plan import Plan


def put_back(
    trace: Trace,
    groups: Sequence[Group],
    plan: Plan,
    small: Mapping[str, np.ndarray],
    whole: Mapping[str, np.ndarray],
) -> Dict[str, np.ndarray]:
    """Weight node -> array of the old shape, with the small one where channels stay.

    Args:
      trace: of the network before stripping.
      groups: of the trace.
      plan: what was removed.
      small: weight node -> array of the stripped network.
      whole: weight node -> array before stripping, which the removed positions keep.
    """
    stays = ~plan_lib.removed_channels(plan, groups, trace.count)
    return {
        name: _filled(whole[name], array, [stays[axis] for axis in trace.weights[name]])
        if name in trace.weights
        else array
        for name, array in small.items()
    }


def _filled(
    whole: np.ndarray, small: np.ndarray, stays: Sequence[np.ndarray]
) -> np.ndarray:
    """A copy of `whole` with `small` at the positions that stay on every axis."""
    filled = whole.copy()
    filled[np.ix_(*stays)] = small
    return filled
