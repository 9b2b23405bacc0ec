"""Options of a run besides its schedule."""

from __future__ import annotations

import dataclasses
from typing import Optional, Tuple

from tf1pruning import plan as plan_lib
from tf1pruning import typed
from tf1pruning.channels import select
from tf1pruning.choosing.scores import Combination
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.steps.ranking import Ranking, ranking_by
from tf1pruning.surgery import mean_replacement


@typed.checked
@dataclasses.dataclass(frozen=True)
class Options:
    """How channels are chosen, when to stop, and what is kept of a run.

    Attributes:
      criterion: name of any criterion, on weights or on data.
      combination: of the scores of a group's layers.
      scope_names: scopes whose channels go; `('',)`: the whole model.
      groups: 'inner' or 'all', as for `Pruning`.
      output_nodes: of the model, separated by commas; where there is no node `output`,
        the channels before the loss are meant. A latency is that of these outputs.
      mode: of soft pruning, 'block' or 'filter'.
      batches: the most batches that each round scores on.
      initial: checkpoint before the first training, for a criterion that looks at it.
      seed: of a criterion that draws.
      mean_replacement: whether channels that go leave their means behind, found in one
        more pass over these batches; needs mode 'block'.
      repair: whether what is left is fitted to what it made before, on at most 512
        examples of these batches, so that each training starts from answers near the
        old ones (see `tf1pruning.repair`); needs mode 'block'.
      evaluate_pruned: whether a run with an evaluation also evaluates between pruning
        and training.
      min_accuracy: a round that ends below it is the last, and is not the result.
      metric: name of the metric that `min_accuracy` limits.
      keep_optimizer: whether the optimizer's slots and the global step go on from round
        to round; else each training starts with new ones.
      keep_rounds: how many of the last rounds keep their folders; at least 2.

    Raises:
      OptionError: if a value is out of range, or there is no such criterion.
    """

    criterion: str = registry.DEFAULT
    combination: Combination = Combination()
    scope_names: Tuple[str, ...] = ('',)
    groups: str = select.AUTO
    output_nodes: str = 'output'
    mode: str = plan_lib.BLOCK
    batches: int = 10
    initial: Optional[str] = None
    seed: int = 0
    mean_replacement: bool = False
    repair: bool = False
    evaluate_pruned: bool = True
    min_accuracy: Optional[float] = None
    metric: str = 'accuracy'
    keep_optimizer: bool = False
    keep_rounds: int = 5

    def __post_init__(self) -> None:
        select.check_which(self.groups)
        plan_lib.check_mode(self.mode)
        self.ranking()
        if self.batches < 1:
            raise OptionError(f'batches is {self.batches}; expected at least 1.')
        if self.mean_replacement:
            mean_replacement.check_mode(self.mode)
        if self.repair:
            mean_replacement.check_mode(self.mode, 'Repair')
        if self.repair and self.mean_replacement:
            raise OptionError('Repair does more than mean replacement: give one.')
        if self.keep_rounds < 2:
            raise OptionError(
                f'keep_rounds is {self.keep_rounds}; expected at least 2: the last '
                'round, and the round before it if the last is not good enough.'
            )

    @property
    def needs_data(self) -> bool:
        """Whether something looks at data."""
        return self.ranking().needs_data or self.mean_replacement or self.repair

    def ranking(self) -> Ranking:
        """What ranks channels; a criterion on data still lacks its scores.

        Raises:
          OptionError: if there is no such criterion.
        """
        return ranking_by(self.criterion, None, self.combination, self.seed)
