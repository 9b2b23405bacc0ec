from __future__ import annotations

import pytest

from tf1pruning.errors import OptionError
from tf1pruning.scoring.result import Scores
from tf1pruning.steps.ranking import ranking_by

SCORES = Scores(scores={}, means={}, batches=1, loss=0.0)


def test_a_ranking_knows_whether_it_needs_data():
    assert ranking_by('fisher').needs_data
    assert not ranking_by('l2').needs_data


def test_a_criterion_on_data_asks_for_scores_where_there_are_none():
    with pytest.raises(OptionError, match='looks at data') as caught:
        ranking_by('fisher').check_scored()

    assert caught.value.options == ('scores',)
    ranking_by('fisher').with_scores(SCORES).check_scored()
    ranking_by('l2').check_scored()


def test_a_criterion_on_weights_takes_no_scores():
    with pytest.raises(OptionError, match="'l2' looks at weights alone"):
        ranking_by('l2', SCORES)
