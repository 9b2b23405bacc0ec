"""The command-line flags that say which scores, and which means, a program takes."""

from __future__ import annotations

import dataclasses
from typing import Mapping, Optional

import numpy as np
from absl import flags

from tf1pruning.choosing.scores import Scorer
from tf1pruning.errors import OptionError
from tf1pruning.scoring import result
from tf1pruning.scoring.result import Scores
from tf1pruning.workflow import any_scorer, data_scores
from tf1pruning.workflow.loading import Source

# Flags that this module defines belong to the program that asks for them.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True, eq=False)
class Given:
    """What the flags of `define` say.

    Attributes:
      scores: on data, if there is a file of them.
      with_means: whether removed channels leave their means behind.
      seed: of a criterion that draws.

    Raises:
      OptionError: if means are asked for without scores.
    """

    scores: Optional[Scores]
    with_means: bool
    seed: int

    def __post_init__(self) -> None:
        if self.with_means and self.scores is None:
            raise OptionError(
                '--mean_replacement takes the means of --scores. Give that file, too.'
            )

    def scorer(self, source: Source, criterion: str) -> Scorer:
        """Scores the groups of a model; raises like `any_scorer.scorer`."""
        return any_scorer.scorer(source, criterion, self.scores, seed=self.seed)

    def means(self, source: Source) -> Optional[Mapping[str, np.ndarray]]:
        """The means to leave behind; None: zeros. Raises like `data_scores.means`."""
        if self.scores is None or not self.with_means:
            return None
        return data_scores.means(source, self.scores)


def define_stale() -> None:
    """Defines the flag that lets `load` take scores of other weights."""
    flags.DEFINE_bool(
        'stale_scores', False, 'Take scores of other weights, such as older ones.'
    )


def define() -> None:
    """Defines the flags of a program that prunes to look, not to keep."""
    define_stale()
    flags.DEFINE_string('scores', None, 'Scores on data, from tools/score.py (.npz).')
    flags.DEFINE_bool(
        'mean_replacement', False, 'Removed channels leave the means of --scores.'
    )
    flags.DEFINE_integer(
        'random_seed', 0, 'Seed of criteria that draw: random, kmeans.'
    )


def load(path: str) -> Scores:
    """Reads scores.

    Raises:
      DataError: if the file is missing, damaged, or holds something else.
    """
    found = result.load(path)
    return found.of_any_weights() if flags.FLAGS.stale_scores else found


def given() -> Given:
    """What the flags say.

    Raises:
      OptionError: if means are asked for without scores.
      DataError: like `load`.
    """
    values = flags.FLAGS
    scores = load(values.scores) if values.scores else None
    return Given(scores, values.mean_replacement, values.random_seed)
