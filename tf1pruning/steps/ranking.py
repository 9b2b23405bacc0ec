"""Rankings: a criterion, on weights or on data, with all that it needs."""

from __future__ import annotations

import dataclasses
from typing import Optional, Union

from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Combination, Scorer, WeightScorer
from tf1pruning.criteria import registry
from tf1pruning.criteria.registry import Criterion, DataCriterion
from tf1pruning.errors import OptionError
from tf1pruning.models.model import Model
from tf1pruning.scoring.result import SavedScorer, Scores
from tf1pruning.steps import data_scores


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
    """A criterion with all that it needs; see `ranking_by`.

    Attributes:
      criterion: what scores filters.
      scores: on data; None: the criterion looks at weights alone, or the scores are
        still to be found.
      combination: of the scores of a group's layers.
    """

    criterion: Union[Criterion, DataCriterion]
    scores: Optional[Scores] = None
    combination: Combination = Combination()

    @property
    def needs_data(self) -> bool:
        """Whether the criterion looks at data."""
        return isinstance(self.criterion, DataCriterion)

    def with_scores(self, scores: Scores) -> Ranking:
        """The ranking by these scores."""
        return dataclasses.replace(self, scores=scores)

    def check(self, choice: Choice) -> None:
        """Raises OptionError for a threshold on scores that are no shares."""
        if choice.threshold is not None and not self.criterion.is_share:
            raise OptionError(
                f'Criterion {self.criterion.name!r} has no threshold in (0, 1): its '
                'scores are no shares. Give a ratio, a count or a target instead.',
                options=('ratio', 'count', 'target_macs'),
            )

    def check_scored(self) -> None:
        """Raises OptionError if the criterion looks at data and has no scores."""
        if isinstance(self.criterion, DataCriterion) and self.scores is None:
            seen = 'data and a loss' if self.criterion.derivative else 'data'
            raise OptionError(
                f'Criterion {self.criterion.name!r} looks at {seen}: score the model '
                'first, and give the scores.',
                options=('scores',),
            )

    def scorer(self, model: Model) -> Scorer:
        """What scores the groups of a model.

        Raises:
          OptionError: if the criterion needs scores on data, and there are none or they
            are by other criteria.
          DataError: if the scores are of other weights.
          CheckpointError: if a weight is NaN or infinite.
          VerificationError: if a kernel cannot be computed of its variables.
        """
        self.check_scored()
        arrays = model.judged_arrays()
        if isinstance(self.criterion, Criterion):
            return WeightScorer(model.trace, arrays, self.criterion, self.combination)
        assert self.scores is not None, 'check_scored refuses that'
        self.scores.check(data_scores.digests(model))
        return SavedScorer(
            self.scores, self.criterion.name, model.trace, arrays, self.combination
        )


def ranking_by(
    criterion: str = registry.DEFAULT,
    scores: Optional[Scores] = None,
    combination: Combination = Combination(),
    seed: int = 0,
) -> Ranking:
    """A ranking by a criterion.

    Args:
      criterion: its name.
      scores: on data, for a criterion that looks at data.
      combination: of the scores of a group's layers.
      seed: of a criterion that draws.

    Raises:
      OptionError: if there is no such criterion, or it looks at weights alone and gets
        scores.
    """
    found = registry.find(criterion, seed)
    if scores is not None and isinstance(found, Criterion):
        raise OptionError(
            f'Criterion {criterion!r} looks at weights alone and needs no scores. '
            f'Criteria that need them: {registry.listed_data()}.',
            options=('criterion',),
        )
    return Ranking(found, scores, combination)


def rounded(choice: Choice, multiple: int) -> Choice:
    """A choice whose kept widths are multiples of the `channel_multiple`.

    Raises:
      OptionError: if the choice asks for other multiples.
    """
    limits = choice.limits
    if limits.multiple not in (1, multiple):
        raise OptionError(
            f'The choice asks for multiples of {limits.multiple}, and channel_multiple '
            f'is {multiple}. Set channel_multiple only.',
            options=('channel_multiple',),
        )
    limits = dataclasses.replace(limits, multiple=multiple)
    return dataclasses.replace(choice, limits=limits)
