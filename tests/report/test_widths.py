from __future__ import annotations

import pytest

from tests.surgery import nets
from tf1pruning.report import widths
from tf1pruning.report.widths import GroupWidth

WIDTHS = (
    GroupWidth('first', 'conv', 100, 25, ''),
    GroupWidth('second', 'dense', 10, 10, 'is a model output'),
)


def test_every_group_has_its_widths_and_the_reason_for_what_stays():
    net = nets.net_of(nets.two_convs())
    net.arrays['b/kernel'][:, :, [1, 2, 3]] = 0

    found = widths.widths_of(net.groups, net.strip(multiple=4))

    assert [(w.name, w.before, w.after) for w in found] == [('a', 8, 8), ('b', 3, 3)]
    assert found[0].reason == '3 kept: kept width is a multiple of 4, and at least that'
    assert 'is a model output' in found[1].reason


def test_the_table_has_a_bar_and_a_reason():
    assert widths.table(WIDTHS).split('\n') == [
        'group    kind  before  after                  kept',
        '------  -----  ------  -----  --------------------',
        'first    conv     100     25  #####...............',
        'second  dense      10     10  ####################  is a model output',
    ]


@pytest.mark.parametrize(
    ('before', 'after', 'full'),
    [(4, 4, 20), (1000, 999, 19), (1000, 1, 1), (2, 1, 10)],
)
def test_a_bar_is_full_only_if_all_stay(before, after, full):
    assert widths.bar(before, after) == '#' * full + '.' * (20 - full)


def test_the_bars_are_drawn():
    assert widths.draw(WIDTHS).startswith(b'\x89PNG')
