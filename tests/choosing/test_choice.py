from __future__ import annotations

import pytest

from tests.choosing.groups import a_group
from tf1pruning.choosing.choice import Choice, Limits, Target, WidthBins, check_scopes
from tf1pruning.errors import OptionError

BINS = WidthBins((16, 64, 256), (0.25, 0.5))


@pytest.mark.parametrize(
    ('limits', 'width', 'wanted', 'expected'),
    [
        (Limits(), 8, 8, 7),
        (Limits(min_width=3), 8, 8, 5),
        (Limits(max_share=0.5), 8, 8, 4),
        (Limits(max_share=0.3), 10, 9, 3),
        (Limits(multiple=4, min_width=6), 16, 16, 8),
        (Limits(multiple=4, max_share=0.6), 16, 15, 8),
        (Limits(min_width=9), 8, 3, 0),
        (Limits(max_share=0.5), 8, 3, 3),
    ],
)
def test_limits_hold_channels_back(limits, width, wanted, expected):
    assert limits.removable(width, wanted) == expected


@pytest.mark.parametrize(
    ('width', 'expected'),
    [(15, None), (16, 0.25), (63, 0.25), (64, 0.5), (255, 0.5), (256, None)],
)
def test_width_bins_are_half_open(width, expected):
    assert BINS.ratio(width) == expected


@pytest.mark.parametrize(
    ('name', 'width', 'expected'),
    [
        ('net/a', 100, 0.75),
        ('net/ab', 100, 0.5),
        ('net/b', 20, 0.25),
        ('net/b', 4, 0.1),
    ],
)
def test_a_scope_comes_before_the_bins_and_these_before_the_rest(name, width, expected):
    choice = Choice(ratio=0.1, scope_ratios=(('net/a', 0.75),), bins=BINS)

    assert choice.ratio_of(a_group(name, width)) == expected


def test_without_a_ratio_the_other_groups_stay_whole():
    choice = Choice(scope_ratios=(('net/a', 0.75),))

    assert choice.ratio_of(a_group('net/b', 8)) == 0.0


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: Choice(), 'Nothing given; expected exactly one of threshold, ratio'),
        (lambda: Choice(ratio=0.5, count=2), 'ratio and count given'),
        (lambda: Choice(ratio=1.0), 'ratio is 1.0; expected between 0 and 1'),
        (lambda: Choice(count=0), 'count is 0; expected at least 1'),
        (
            lambda: Choice(threshold=float('nan')),
            'Threshold is nan; expected a number in',
        ),
        (lambda: Choice(ratio=0.5, ranking='all'), "ranking is 'all'"),
        (lambda: Choice(threshold=0.5, ranking='global'), 'needs no global ranking'),
        (lambda: Choice(ratio=0.5, flop_penalty=1.0), 'penalty compares groups'),
        (lambda: Choice(count=2, bins=BINS), 'combined with a threshold'),
        (
            lambda: Choice(ratio=0.5, ranking='global', scope_ratios=(('a', 0.5),)),
            'combined with a threshold',
        ),
        (lambda: Choice(scope_ratios=(('a', 2.0),)), "scope 'a' is 2.0"),
        (lambda: Target('macs', 1.5), 'The target of macs is 1.5'),
        (lambda: Target('bytes', 0.5), "target is 'bytes'; expected one of 'macs'"),
        (lambda: Limits(min_width=0), 'min_width is 0'),
        (lambda: Limits(max_share=0.0), 'max_share is 0.0'),
        (lambda: WidthBins((1, 2), (0.5, 0.5)), '2 bounds and 2 ratios'),
        (lambda: WidthBins((2, 2), (0.5,)), r'\[2, 2\]; expected each to be larger'),
    ],
)
def test_what_makes_no_sense_is_refused(build, message):
    with pytest.raises(OptionError, match=message):
        build()


def test_a_scope_without_groups_offers_the_nearest():
    choice = Choice(scope_ratios=(('net/a', 0.5), ('net/x', 0.5)))

    with pytest.raises(OptionError, match=r"'net/x'.*Nearest names: 'net/a'"):
        check_scopes(choice, [a_group('net/a', 4)])
