"""Finds the slots of variables in a checkpoint.

TensorFlow names a slot `w/Adam` or, when the optimizer was made inside a variable
scope, `scope/w/Adam`. The last component is the optimizer's name, which a user may
choose, so any name of that form counts if it has the shape of `w` and is no weight of
the model itself.
"""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Tuple

from tf1pruning import names, optimizer_names

Shape = Tuple[int, ...]


def find_slots(shapes: Mapping[str, Shape], weights: Collection[str]) -> Dict[str, str]:
    """Maps every slot in a checkpoint to the weight that it shadows.

    Args:
      shapes: variable name -> shape, of all variables in the checkpoint.
      weights: names of the model's own variables.

    Returns:
      Slot name -> weight name.

    >>> find_slots({'w': (3,), 'w/Adam': (3,), 'w/x': (2,)}, ['w'])
    {'w/Adam': 'w'}

    A slot of another variable, whose name only ends like a weight's, is none:

    >>> find_slots({'w': (3,), 'teacher/w': (3,), 'teacher/w/Adam': (3,)}, ['w'])
    {}
    """
    own = set(weights)
    known = own.union(shapes)
    slots = {}
    for name in shapes:
        if name in own:
            continue
        owner = _owner(names.parent_scope(name), known)
        if owner in own and shapes.get(owner) == shapes[name]:
            slots[name] = owner
    return slots


def zeroed_slots(
    shapes: Mapping[str, Shape],
    weights: Collection[str],
    divisors: Collection[str] = (),
) -> Dict[str, str]:
    """Like `find_slots`, without what must not be zero when the weight is.

    Sums of squared gradients cannot wake a filter, and are divided by.

    Args:
      shapes: see `find_slots`.
      weights: see `find_slots`.
      divisors: what optimizers divide by, as far as their graph tells; slots that
        TensorFlow names after Adagrad count without.

    >>> zeroed_slots({'w': (3,), 'w/Adam': (3,), 'w/Adagrad': (3,)}, ['w'])
    {'w/Adam': 'w'}
    """
    return {
        slot: owner
        for slot, owner in find_slots(shapes, weights).items()
        if not optimizer_names.is_sum(slot) and slot not in divisors
    }


def _owner(stem: str, variables: Collection[str]) -> str:
    """The longest tail of `stem` (after some `/`) that is a variable, or ''."""
    while stem and stem not in variables:
        stem = stem.partition('/')[2]
    return stem
