"""The section of docs/results.md on the sensitivity of the demo's network."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from benchmarks import results_page
from tf1pruning.report import text

# As in github.com/google-research/deadunits; each with zeros and with means.
ON_DATA = ('taylor_abs_rs', 'taylor_abs_mrs')
CRITERIA = ('random', 'mean_square', *ON_DATA)
RATIOS = (0.25, 0.5, 0.75, 0.9)
HALF = 0.5
PICTURE = 'results_sensitivity.png'

INTRODUCTION = """## Sensitivity of the demo's network

`make demo`, then `make results DEMO=demo_output`, seed {seed}, {minutes:.0f} min on
{machine}: {points} points of `tools/sensitivity.py`.

One group at a time loses a share of its channels, and nothing is trained. The accuracy
is that on the demo's {images} test images; it is {whole:.2%} without pruning. Channels
go by four criteria and leave zeros behind, or their means. Scores and means are from
the training images.

![Accuracy of each group]({picture})

Accuracy in %, mean of the {groups} groups, with zeros / with means:
"""
BY_GROUP = """
With half of the channels of one group gone, zeros / means:
"""
SUMMARY = """
- Means are better than zeros at {better} of {pairs} points and worse at {worse}.
- Best on average over all points: {best}.
- With zeros, better than `random` at so many of {each} points: {ahead}.
- The group that bears least, with zeros: `{weakest}`.
"""

# (group, criterion, ratio) -> accuracies with zeros and with means.
_Pairs = Dict[Tuple[str, str, float], Tuple[float, float]]


def section(facts: Mapping[str, Any], curves: Mapping[str, Any]) -> str:
    """Markdown of all that was measured.

    Args:
      facts: what the introduction says.
      curves: content of a sensitivity.json, with means for every point.
    """
    pairs = _pairs(curves)
    groups = list(dict.fromkeys(group for group, _, _ in pairs))
    introduction = INTRODUCTION.format(
        machine=results_page.machine(),
        points=len(curves['points']),
        whole=curves['unpruned']['accuracy'],
        groups=len(groups),
        picture=PICTURE,
        **facts,
    )
    by_ratio = [
        [name, *(_cell([pairs[group, name, r] for group in groups]) for r in RATIOS)]
        for name in CRITERIA
    ]
    by_group = [
        [group, *(_cell([pairs[group, name, HALF]]) for name in CRITERIA)]
        for group in groups
    ]
    parts = [
        introduction,
        text.markdown_table(['gone', *(f'{r:.0%}' for r in RATIOS)], by_ratio),
        BY_GROUP,
        text.markdown_table(['group', *CRITERIA], by_group),
        SUMMARY.format(**_summary(pairs, groups)),
    ]
    return '\n\n'.join(part.strip() for part in parts)


def _pairs(curves: Mapping[str, Any]) -> _Pairs:
    found = {
        (p['group'], p['criterion'], p['ratio'], p['means']): p['accuracy']
        for p in curves['points']
    }
    return {
        key[:3]: (accuracy, found[(*key[:3], True)])
        for key, accuracy in found.items()
        if not key[3]
    }


def _cell(pairs: List[Tuple[float, float]]) -> str:
    return ' / '.join(f'{100 * sum(side) / len(pairs):.1f}' for side in zip(*pairs))


def _summary(pairs: _Pairs, groups: List[str]) -> Dict[str, Any]:
    def mean(position: int, value: str, means: int) -> float:
        found = [pair[means] for key, pair in pairs.items() if key[position] == value]
        return sum(found) / len(found)

    kinds = [(name, means) for name in CRITERIA for means in (0, 1)]
    name, means = max(kinds, key=lambda kind: mean(1, *kind))
    return {
        'better': sum(one < other for one, other in pairs.values()),
        'worse': sum(one > other for one, other in pairs.values()),
        'pairs': len(pairs),
        'best': f'`{name}` with {"means" if means else "zeros"}',
        'each': len(pairs) // len(CRITERIA),
        'ahead': ', '.join(f'`{n}` {_ahead(pairs, n)}' for n in CRITERIA[1:]),
        'weakest': min(groups, key=lambda group: mean(0, group, 0)),
    }


def _ahead(pairs: _Pairs, criterion: str) -> int:
    """At how many points a criterion is better than `random`, both with zeros."""
    return sum(
        zeros > pairs[group, 'random', ratio][0]
        for (group, name, ratio), (zeros, _) in pairs.items()
        if name == criterion
    )
