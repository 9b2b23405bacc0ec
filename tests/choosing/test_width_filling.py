"""Between measured widths there are others, on straight lines."""

from __future__ import annotations

import numpy as np

from tests.choosing import groups
from tf1pruning.choosing.choice import Limits
from tf1pruning.choosing.width_filling import filled
from tf1pruning.choosing.width_table import GroupWidths, Width, WidthTable

# The last channel is the most redundant.
SCORED = groups.scored('b', np.arange(8) / 8)
ENTRIES = Width((6, 7), 0.2), Width((2, 3, 4, 5, 6, 7), 0.6)


def table(*named):
    return WidthTable('model', 'samples', 0, 1, named)


def filled_by(limits):
    widths = GroupWidths('b', 8, ENTRIES, scale=0.5)
    others = GroupWidths('c', 8, ENTRIES)
    found = filled(table(widths, others), [SCORED.group], groups.scorer(SCORED), limits)
    (group,) = found.groups
    return group


def test_each_width_has_an_entry_on_a_straight_line():
    found = filled_by(Limits())

    assert [len(entry.removed) for entry in found.entries] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(
        [entry.change for entry in found.entries], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    )
    assert found.entries[3].removed == (4, 5, 6, 7)
    assert found.entries[1] is ENTRIES[0]
    assert found.scale == 0.5


def test_widths_keep_to_the_limits():
    found = filled_by(Limits(multiple=2))
    assert [len(entry.removed) for entry in found.entries] == [2, 4, 6]
