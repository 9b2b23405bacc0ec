from __future__ import annotations

import dataclasses
import json

import pytest

from tf1pruning.plan import Cut, GroupPlan, Plan
from tf1pruning.report import text
from tf1pruning.surgery.failure import Count, FailureReport

CUTS = (Cut('w', 3, 6, 'producer', ((0,), (2,))),)
PLAN = Plan(
    fingerprint='f',
    mode='block',
    channel_multiple=4,
    threshold=0.7,
    groups=(
        GroupPlan('b1', 'inverted_residual', 6, (0, 2), 5, True, CUTS),
        GroupPlan('SE1', 'squeeze_excite', 8, (), 0, False, ()),
    ),
)
FAILURES = FailureReport(
    variables={
        ('b1/w', 3): Count(8, 2),
        ('b1/w', 2): Count(4, 0),
        ('c', 0): Count(4, 2),
    },
    groups={'b1': Count(12, 4), 'SE1': Count(0, 0), 'b2': Count(4, 0)},
)


def test_numbers_stand_right_and_names_left():
    assert text.table(['name', 'n'], [['a', 1], ['longer', 200]]) == (
        'name      n\n------  ---\na         1\nlonger  200'
    )


def test_a_table_without_rows_is_its_header():
    assert text.table(['name', 'n'], []) == 'name  n\n----  -'


def test_a_markdown_table():
    assert text.markdown_table(['name', 'n'], [['a', 1]]) == (
        '| name | n |\n| --- | --- |\n| a | 1 |'
    )


def test_groups_as_rows():
    assert text.group_rows(PLAN) == [
        ['b1', 'inverted_residual', 6, 2, 4, 'capped: 5 were chosen'],
        ['SE1', 'squeeze_excite', 8, 0, 8, ''],
    ]


def test_a_group_that_rounding_leaves_whole_has_a_note():
    plan = dataclasses.replace(
        PLAN, groups=(GroupPlan('b1', 'plain', 24, (), 3, False, ()),)
    )

    assert text.group_rows(plan) == [
        ['b1', 'plain', 24, 0, 24, '3 chosen, too few for multiples of 4']
    ]


def test_pruned_filters_are_counted_and_listed():
    assert text.pruned_filters(PLAN) == (
        'threshold 0.7, mode block, channel multiple 4\n'
        'pruned 2 of 14 channels\n'
        '\n'
        'b1: 2/6 (capped: 5 were chosen)\n'
        '  filters [0, 2]\n'
        '\n'
        'SE1: 0/8\n'
        '  filters []\n'
    )


def test_filters_that_someone_named_have_no_threshold():
    plan = Plan('f', 'block', 4, None, ())

    assert text.pruned_filters(plan).startswith('no threshold, ')


def test_failures_are_counted_in_total_per_group_and_per_variable():
    assert text.failure_summary(FAILURES) == (
        'failure rate 0.2500: 4 of 16 planned places are not zero\n'
        '\n'
        'group  planned  not zero    rate\n'
        '-----  -------  --------  ------\n'
        'b1          12         4  0.3333\n'
        'SE1          0         0  0.0000\n'
        'b2           4         0  0.0000\n'
        '\n'
        'variable     planned  not zero    rate\n'
        '-----------  -------  --------  ------\n'
        'b1/w axis 3        8         2  0.2500\n'
        'b1/w axis 2        4         0  0.0000\n'
        'c axis 0           4         2  0.5000\n'
    )


def test_failures_as_json():
    found = json.loads(json.dumps(text.failure_json(FAILURES)))

    assert (found['failure_rate'], found['planned'], found['failed']) == (0.25, 16, 4)
    assert found['scopes'] == {
        'b1': {'planned': 12, 'failed': 4, 'rate': pytest.approx(1 / 3)},
        'SE1': {'planned': 0, 'failed': 0, 'rate': 0.0},
        'b2': {'planned': 4, 'failed': 0, 'rate': 0.0},
    }
    assert found['variables'] == {
        'b1/w': {
            'axis 3': {'planned': 8, 'failed': 2, 'rate': 0.25},
            'axis 2': {'planned': 4, 'failed': 0, 'rate': 0.0},
        },
        'c': {'axis 0': {'planned': 4, 'failed': 2, 'rate': 0.5}},
    }
