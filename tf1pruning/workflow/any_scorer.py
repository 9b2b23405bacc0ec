"""Scorers by the name of a criterion, on weights or on saved scores."""

from __future__ import annotations

from typing import Optional

from tf1pruning.choosing.scores import Combination, Scorer
from tf1pruning.criteria import registry
from tf1pruning.scoring.result import Scores
from tf1pruning.workflow import data_scores, planning
from tf1pruning.workflow.loading import Source


def scorer(
    source: Source,
    criterion: str,
    scores: Optional[Scores] = None,
    combination: Combination = Combination(),  # noqa: B008 (frozen)
    seed: int = 0,
) -> Scorer:
    """Scores the groups of a model.

    Args:
      source: the model.
      criterion: name of any criterion.
      scores: on data; needed if the criterion is among those that look at data.
      combination: of the layers' scores.
      seed: of a criterion that draws.

    Raises:
      OptionError: on an unknown criterion, or one that needs other scores.
      CheckpointError: if a weight is NaN or infinite.
    """
    if scores is not None and criterion in registry.known_data():
        return data_scores.scorer(source, scores, criterion, combination)
    found = registry.find(criterion, seed)
    return planning.weight_scorer(source, found, combination)
