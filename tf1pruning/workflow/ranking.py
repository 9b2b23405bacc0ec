"""What ranks filters, for `Pruning` and tools: any criterion, on weights or on data."""

from __future__ import annotations

import dataclasses
from typing import Collection, Optional, Union

from absl import logging

from tf1pruning.channels.groups import Group
from tf1pruning.choosing import choice as choice_lib
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Combination, Scorer
from tf1pruning.criteria import registry
from tf1pruning.criteria.registry import Criterion, DataCriterion
from tf1pruning.errors import OptionError
from tf1pruning.plan import Plan
from tf1pruning.scoring import result
from tf1pruning.scoring.result import Scores
from tf1pruning.workflow import any_scorer, planning
from tf1pruning.workflow.loading import Source


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
    """A criterion with all that it needs.

    Attributes:
      criterion: its name.
      scores: on data; None for a criterion that looks at weights alone.
      combination: of the scores of a group's layers.
      seed: of a criterion that draws.

    Raises:
      OptionError: if there is no such criterion, it needs scores and gets none, or
        needs none and gets some.
    """

    criterion: str
    scores: Optional[Scores]
    combination: Combination
    seed: int = 0

    def __post_init__(self) -> None:
        self.find()

    def find(self) -> Union[Criterion, DataCriterion]:
        """The criterion."""
        if self.scores is not None:
            return registry.find_data(self.criterion)
        return registry.find(self.criterion)

    def check(self, choice: Optional[Choice]) -> None:
        """Refuses a threshold that does not go with the criterion.

        Raises:
          OptionError: if the choice is one.
        """
        if choice is not None:
            choice_lib.check_threshold(choice.threshold, self.find())

    def plan(
        self, source: Source, groups: Collection[Group], choice: Choice, mode: str
    ) -> Plan:
        """Plans what goes; a warning says why nothing does.

        Raises:
          Tf1PruningError: like `scorer` and `planning.plan_by_choice`.
        """
        scorer = self.scorer(source)
        found = planning.plan_by_choice(source, groups, choice, scorer, mode)
        if not found.removed:
            reason = planning.why_nothing_goes(found, groups, choice, scorer)
            logging.warning('%s', reason)
        return found

    def scorer(self, source: Source) -> Scorer:
        """Scores the groups of a model.

        Raises:
          OptionError: if the scores are by other criteria.
          CheckpointError: if a weight is NaN or infinite.
        """
        return any_scorer.scorer(
            source, self.criterion, self.scores, self.combination, self.seed
        )


def ranking(
    criterion: str, scores: str, combination: Combination, seed: int
) -> Ranking:
    """A ranking by a criterion.

    Args:
      criterion: its name.
      scores: file that tools/score.py wrote; '' for a criterion on weights alone.
      combination: of the scores of a group's layers.
      seed: of a criterion that draws.

    Raises:
      OptionError: like `Ranking`.
      DataError: if the file is missing or damaged.
    """
    found = result.load(scores) if scores else None
    return Ranking(criterion, found, combination, seed)


def rounded(choice: Choice, multiple: int) -> Choice:
    """A choice whose kept widths are multiples of the `channel_multiple`.

    Raises:
      OptionError: if the choice asks for other multiples.
    """
    limits = choice.limits
    if limits.multiple not in (1, multiple):
        raise OptionError(
            f'The choice asks for multiples of {limits.multiple}, and channel_multiple '
            f'is {multiple}. Set channel_multiple, and leave the former out.'
        )
    limits = dataclasses.replace(limits, multiple=multiple)
    return dataclasses.replace(choice, limits=limits)
