"""What `compress` is asked for."""

from __future__ import annotations

import dataclasses
from typing import Optional, Tuple

from tf1pruning import typed
from tf1pruning.channels import select
from tf1pruning.choosing.choice import QUANTITIES, Choice, Limits, Target
from tf1pruning.errors import OptionError
from tf1pruning.recovery import change as change_lib
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.sampling.parts import HOLDOUT, check_holdout

CRITERION = 'reconstruction'


@typed.checked
@dataclasses.dataclass(frozen=True)
class CompressOptions:
    """How small a network becomes, and how.

    Attributes:
      ratio: share of every group that goes; None: widths follow from a budget.
      target: share of MACs, parameters or latency that stays.
      max_change: the largest change of the outputs that is allowed, see `Change`: alone
        it is the budget, with another one it limits that.
      criterion: what ranks the channels of a group; one on data needs no loss.
      groups: 'all', 'inner' or 'auto', see `choose`.
      scope_names: scopes to prune; `['']`: the whole model.
      protect: regular expressions; groups in whose name one is found stay.
      limits: of the widths.
      distill_steps: of distillation after the repair; 0: none.
      holdout: share of the samples that nothing is fitted to: one half of it chooses,
        the other is only reported.
      seed: of all that is drawn.
      disk: bytes that temporary files of a part may take.

    Raises:
      OptionError: if no budget is given, or both a ratio and a target, or a value is
        out of range.
    """

    ratio: Optional[float] = None
    target: Optional[Target] = None
    max_change: Optional[float] = None
    criterion: str = CRITERION
    groups: str = select.ALL
    scope_names: Tuple[str, ...] = ('',)
    protect: Tuple[str, ...] = ()
    limits: Limits = Limits(multiple=4)
    distill_steps: int = 0
    holdout: float = HOLDOUT
    seed: int = 0
    disk: int = RepairOptions.disk

    def __post_init__(self) -> None:
        ways = tuple(f'target_{quantity}' for quantity in QUANTITIES)
        if self.ratio is not None and self.target is not None:
            raise OptionError(
                'A ratio and a target are given: give one of them.',
                options=('ratio', *ways),
            )
        if all(way is None for way in (self.ratio, self.target, self.max_change)):
            raise OptionError(
                'Nothing says how small the network shall be: give a ratio, a target '
                'or the largest change.',
                options=('ratio', *ways, 'max_change'),
            )
        if self.max_change is not None:
            change_lib.check_allowed(self.max_change)
        if self.distill_steps < 0:
            raise OptionError(
                f'There are {self.distill_steps} steps of distillation; expected 0 or '
                'more.',
                options=('distill_steps',),
            )
        check_holdout(self.holdout)
        RepairOptions(disk=self.disk, seed=self.seed)
        if self.ratio is not None:
            Choice(ratio=self.ratio)
