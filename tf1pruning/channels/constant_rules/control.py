"""Values that enter branches and loops, and what branches give."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from tf1pruning.channels import families
from tf1pruning.channels.constants import RULES, VARYING, ConstantOp


@RULES.register_family(families.ENTRIES)
def _enter(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    return inputs[0]


@RULES.register('Switch', attributes='T')
def _switch(op: ConstantOp, inputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    return inputs[0], inputs[0]


@RULES.register('Merge', attributes='T N')
def _merge(op: ConstantOp, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """What all branches agree on; the next turn of a loop varies."""
    result = inputs[0].astype(np.float64)
    for value in inputs[1:]:
        result = np.where(result == value, result, VARYING)
    return result
