"""What TensorFlow's optimizers call what they keep, and which of it they divide by."""

from __future__ import annotations

import re
from typing import Collection, List, Mapping, Tuple

from tf1pruning import names

# Optimizers that divide by sums of squared gradients, with nothing added: with a sum of
# zero, a gradient of zero makes the weight NaN. Position of the sums among the inputs
# of their ops, and the name of the slot that holds them.
SUMS = {
    'Adagrad': (1, 'Adagrad'),
    'ProximalAdagrad': (1, 'ProximalAdagrad'),
    'AdagradDA': (2, 'AdagradDA_1'),
}
_SLOTS = ('Momentum', 'Adam', 'RMSProp', *SUMS, 'Ftrl', 'Adadelta')
# The last component of a moving average's name.
AVERAGE = 'ExponentialMovingAverage'
# Patterns for whole names: of slots and averages, of the powers that Adam counts, and
# of what `tf.keras` models keep of their optimizer.
SLOT = rf'.*/({"|".join((*_SLOTS, AVERAGE))})(_\d+)?'
POWER = r'(.*/)?beta\d+_power(_\d+)?'
KERAS = (
    r'training(_\d+)?/(SGD|RMSprop|Adagrad|Adadelta|Adam|Adamax|Nadam|Ftrl)(_\d+)?/.*'
)


def is_sum(slot: str) -> bool:
    """Whether a slot has the name of sums that an optimizer divides by.

    >>> is_sum('w/Adagrad'), is_sum('w/Adam')
    (True, False)
    """
    return slot.rpartition('/')[2] in {name for _, name in SUMS.values()}


def is_slot(key: str) -> bool:
    """Whether a variable has the name of a slot or a moving average.

    >>> is_slot('w/Adam_1'), is_slot('w/Eve')
    (True, False)
    """
    return re.fullmatch(SLOT, key) is not None


def is_power(key: str) -> bool:
    """Whether a variable has the name of a power of Adam's betas.

    >>> is_power('net/beta1_power_1'), is_power('net/beta')
    (True, False)
    """
    return re.fullmatch(POWER, key) is not None


def keras_numbers(
    shapes: Mapping[str, Tuple[int, ...]], weights: Collection[str]
) -> List[str]:
    """Numbers that a Keras optimizer keeps, its learning rate among them.

    They lie in the scope of its name, and it always has a rate and a decay.

    >>> shapes = {'SGD/learning_rate': (), 'SGD/decay': (), 'net/decay': ()}
    >>> keras_numbers(shapes, [])
    ['SGD/learning_rate', 'SGD/decay']
    """
    scalars = [key for key in shapes if shapes[key] == () and key not in weights]
    scopes = {names.parent_scope(key) for key in scalars}
    own = {
        scope
        for scope in scopes
        if {f'{scope}/learning_rate', f'{scope}/decay'} <= set(scalars)
    }
    return [key for key in scalars if names.parent_scope(key) in own]
