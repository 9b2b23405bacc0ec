"""A part of the work has about ten lines, and its last step has one."""

from __future__ import annotations

from tf1pruning.cli import progress_lines
from tf1pruning.clock import Progress


def lines(capfd, steps):
    printed = progress_lines.printer()
    for work, done, total in steps:
        printed(Progress(work, done, total, None))
    return capfd.readouterr().err.splitlines()


def test_a_long_part_has_ten_lines(capfd):
    steps = [('a', number, 95) for number in range(1, 96)]

    found = lines(capfd, steps)

    assert len(found) == 10
    assert found[0] == 'a: 10 of 95'
    assert found[-1] == 'a: 95 of 95'


def test_a_short_part_has_a_line_for_each_step(capfd):
    assert len(lines(capfd, [('a', 1, 3), ('a', 2, 3), ('a', 3, 3)])) == 3


def test_steps_that_are_told_of_seldom_are_not_lost(capfd):
    steps = [('a', number, 400) for number in range(38, 401, 38)]

    assert len(lines(capfd, steps)) == 9


def test_each_part_and_each_repetition_starts_anew(capfd):
    steps = [('a', 1, 1), ('b', 1, 1), ('b', 1, 1)]

    assert lines(capfd, steps) == ['a: 1 of 1', 'b: 1 of 1', 'b: 1 of 1']


def test_without_a_total_every_tenth_step_has_a_line(capfd):
    found = lines(capfd, [('a', number, None) for number in range(1, 31)])

    assert found == ['a: 10 of ?', 'a: 20 of ?', 'a: 30 of ?']
