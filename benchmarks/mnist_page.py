"""The section of docs/results.md on MNIST."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from benchmarks import results_page
from benchmarks.resumable import Found
from tf1pruning.report import text

SHARES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99)
# Test accuracies of github.com/justincosentino/network-pruning, its two columns in
# their right places.
PUBLISHED_WEIGHTS = (
    *(0.9813, 0.9806, 0.9813, 0.9805, 0.9811),
    *(0.9777, 0.9688, 0.9269, 0.7721, 0.3091),
)
PUBLISHED_UNITS = (
    *(0.9813, 0.9812, 0.9778, 0.9719, 0.9170),
    *(0.8156, 0.3849, 0.1383, 0.1280, 0.0980),
)

INTRODUCTION = """## MNIST: weights and units of an MLP

`make results MNIST=path/of/mnist`, seed {seed}, {minutes:.0f} minutes on {machine}.

The published accuracies are those of the README of
github.com/justincosentino/network-pruning, whose two columns are swapped: here they are
in their right places. The network is the one there, 784-1000-1000-500-200-10 without
biases. Its training here is Adam at 0.001 with cosine decay, batch 128, {epochs} epochs
on {images:,} images. *sparse* adds {l1:g} times the L1 norm of the weights and
{lasso:g} times the L2 norms of the hidden units to the loss, so that there is less to
lose; *plain* adds nothing. All figures are accuracies on the 10,000 test images.
Nothing is trained after pruning, but for the last column. Accuracies near 0.1 are
chance. One training each, here and there.
"""
WEIGHTS = """### Weights: the smallest of each layer but the last become zero
"""
UNITS = """### Units: the same share of each hidden layer

*l2*: units with small weights go, as in what is published. *zeros*, *means*: the best
of {criteria} criteria on 5,000 training images that were held back, on the *sparse*
network, with zeros or with means left behind. *chosen*: the better of the two on those
images. Scores and means are from {scored:,} training images. *tuned*: the chosen
network, stripped, after one epoch.
"""
SUMMARY = """
- Weights: *sparse* is above the published accuracy at {weights} of {all} shares,
  *plain* at {plain_weights}.
- Units by l2: *sparse* is above it at {l2}, *plain* at {plain_l2}.
- Units, *chosen*: above it at {chosen} of {all} shares.
- Means instead of zeros, each by its best criterion: better at {means} of {rest}.
- 90 % of the units gone: {pruned} before fine-tuning, {tuned} after an epoch.
"""
WEIGHT_HEADER = ('pruned', 'published', 'plain', 'sparse')
UNIT_HEADER = (
    *('pruned', 'published', 'plain, l2', 'sparse, l2', 'zeros', 'means', 'chosen'),
    *('which', 'tuned'),
)
_MEASURED = ('zeros', 'means', 'chosen')


def section(
    facts: Mapping[str, Any], sweeps: Mapping[str, Found], units: Sequence[Found]
) -> str:
    """Markdown of all that was measured.

    Args:
      facts: what the introduction says.
      sweeps: `plain` and `sparse` -> accuracies of `weights` and `units` per share.
      units: per share but the first what `benchmarks.mnist` found.
    """
    plain, sparse = sweeps['plain'], sweeps['sparse']
    # Nothing is pruned at the first share.
    whole = sparse['units'][0]
    rows: List[Found] = [{**dict.fromkeys(_MEASURED, whole), 'which': '-'}, *units]
    weights = zip(SHARES, PUBLISHED_WEIGHTS, plain['weights'], sparse['weights'])
    unit_rows = [
        [share, *figures, *(row[name] for name in _MEASURED), row['which']]
        + [row.get('tuned', '-')]
        for share, *figures, row in zip(
            SHARES, PUBLISHED_UNITS, plain['units'], sparse['units'], rows
        )
    ]
    parts = [
        INTRODUCTION.format(machine=results_page.machine(), **facts),
        WEIGHTS,
        text.markdown_table(WEIGHT_HEADER, [_cells(row) for row in weights]),
        UNITS.format(**facts),
        text.markdown_table(UNIT_HEADER, [_cells(row) for row in unit_rows]),
        SUMMARY.format(**_counts(plain, sparse, rows)),
    ]
    return '\n\n'.join(part.strip() for part in parts)


def _cells(row: Sequence[Any]) -> List[str]:
    share, *figures = row
    return [
        f'{share:g}',
        *(value if isinstance(value, str) else f'{value:.4f}' for value in figures),
    ]


def _counts(plain: Found, sparse: Found, rows: Sequence[Found]) -> Dict[str, Any]:
    """What the summary says: how often one accuracy is above another."""
    found = {name: [row[name] for row in rows] for name in _MEASURED}
    ninety = rows[SHARES.index(0.9)]
    return {
        'all': len(SHARES),
        'rest': len(SHARES) - 1,
        'weights': _above(sparse['weights'], PUBLISHED_WEIGHTS),
        'plain_weights': _above(plain['weights'], PUBLISHED_WEIGHTS),
        'l2': _above(sparse['units'], PUBLISHED_UNITS),
        'plain_l2': _above(plain['units'], PUBLISHED_UNITS),
        'chosen': _above(found['chosen'], PUBLISHED_UNITS),
        'means': _above(found['means'], found['zeros']),
        'pruned': f'{ninety["chosen"]:.4f}',
        'tuned': f'{ninety["tuned"]:.4f}',
    }


def _above(ours: Sequence[float], theirs: Sequence[float]) -> int:
    return sum(one > other for one, other in zip(ours, theirs))
