"""Flags of criteria, their scores, and mean replacement."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence

import numpy as np
from absl import flags

from tf1pruning.choosing.scores import COMBINE, NORMALIZERS, Combination
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError
from tf1pruning.models.model import Model
from tf1pruning.scoring.result import Scores
from tf1pruning.steps import data_scores
from tf1pruning.steps.ranking import Ranking, ranking_by

_KNOWN = (
    f'{", ".join(registry.known())}; with --scores also: '
    f'{", ".join(registry.known_data())}.'
)


def define() -> None:
    """Defines the flags of one criterion."""
    flags.DEFINE_string('criterion', registry.DEFAULT, f'What ranks channels: {_KNOWN}')
    _define_common()


def define_several() -> None:
    """Defines the flags of several criteria, each by itself."""
    flags.DEFINE_list('criteria', [registry.DEFAULT], f'What ranks channels: {_KNOWN}')
    _define_common()


def _define_common() -> None:
    flags.DEFINE_string('scores', None, 'Scores on data (.npz), from `score`.')
    flags.DEFINE_enum(
        'combine', 'mean', list(COMBINE), 'How the scores of several layers become one.'
    )
    flags.DEFINE_enum(
        'normalizer',
        'none',
        list(NORMALIZERS),
        'Divisor of the scores of each layer, before they are combined.',
    )
    flags.DEFINE_integer('seed', 0, 'Seed of criteria that draw: random, kmeans.')
    define_means()


def define_means() -> None:
    """Defines the flags of mean replacement."""
    flags.DEFINE_string(
        'mean_replacement',
        None,
        'Means on data (.npz), from `score`: they take the place of the channels that '
        'go, instead of zeros.',
    )
    flags.DEFINE_bool(
        'stale_scores', False, 'Accept scores of other weights, such as older ones.'
    )


def check_stale() -> None:
    """Raises OptionError for --stale_scores without any scores."""
    values = flags.FLAGS
    given = [name for name in ('scores', 'mean_replacement') if name in values]
    if values.stale_scores and all(values[name].value is None for name in given):
        listed = ' or '.join(f'--{name}' for name in given)
        raise OptionError(f'--stale_scores belongs to {listed}: give both, or none.')


def scores() -> Optional[Scores]:
    """The scores of --scores.

    Raises:
      DataError: if the file is missing, damaged, or holds something else.
    """
    return _read(flags.FLAGS.scores)


def rankings(criteria: Sequence[str]) -> List[Ranking]:
    """The rankings by criteria, with the scores where they need them.

    Raises:
      OptionError: if there is no such criterion, one lacks scores, or scores are given
        and none needs them; like `check_stale`.
      DataError: like `scores`.
    """
    check_stale()
    values = flags.FLAGS
    found = [ranking_by(name, None, combination(), values.seed) for name in criteria]
    if values.scores is not None and not any(r.needs_data for r in found):
        raise OptionError(
            '--scores is given, but no criterion looks at data. Leave it out, or name '
            f'one of these: {registry.listed_data()}.'
        )
    given = scores()
    if given is not None:
        found = [r.with_scores(given) if r.needs_data else r for r in found]
    for ranking in found:
        ranking.check_scored()
    return found


def combination() -> Combination:
    """How the scores of a group's layers become one."""
    return Combination(flags.FLAGS.combine, flags.FLAGS.normalizer)


def mean_scores() -> Optional[Scores]:
    """The means of --mean_replacement.

    Raises:
      DataError: like `scores`.
    """
    return _read(flags.FLAGS.mean_replacement)


def means(model: Model) -> Optional[Mapping[str, np.ndarray]]:
    """The means that replace channels of a model; None: zeros do.

    Raises:
      DataError: like `scores`, or if they are of other weights.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    found = mean_scores()
    return None if found is None else data_scores.means(model, found)


def _read(path: Optional[str]) -> Optional[Scores]:
    if path is None:
        return None
    found = Scores.load(path)
    return found.of_any_weights() if flags.FLAGS.stale_scores else found
