from __future__ import annotations

import math

from tf1pruning.studies import curves
from tf1pruning.studies.curves import Line
from tf1pruning.studies.evaluation import Outcome

LINES = [
    Line('weight', [0, 0.5], [Outcome(0.1, 0.9), Outcome(0.2, 0.8)], 'weight'),
    Line('unit', [0, 0.5], [Outcome(0.1, 0.9), Outcome(0.9, 0.1)], 'unit', dashed=True),
]


def test_an_accuracy_that_is_not_known_is_not_drawn():
    line = Line('a', [0, 0.5], [Outcome(0.1, 0.9), Outcome(0.2, None)], 'a')

    assert line.values('loss') == [0.1, 0.2]
    assert line.values('accuracy')[0] == 0.9
    assert math.isnan(line.values('accuracy')[1])


def test_loss_and_accuracy_are_one_picture():
    assert curves.loss_and_accuracy(LINES, 'share').startswith(b'\x89PNG')


def test_panels_are_one_picture_whatever_their_number():
    few = curves.grid({'a': LINES}, 'share')
    many = curves.grid(dict.fromkeys('abcde', LINES), 'share')

    assert few.startswith(b'\x89PNG')
    assert many.startswith(b'\x89PNG')
    assert len(many) > len(few)
