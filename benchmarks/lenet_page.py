"""The section of docs/results.md on LeNet-5-Caffe."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence, Tuple

from benchmarks import results_page, seed_spread
from benchmarks.resumable import Found
from demo.networks import lenet
from tf1pruning.report import text

BASELINE = 'baseline'
WHOLE = (*lenet.CHANNELS, lenet.HIDDEN)
# What others published: method, widths, error in %, FLOPs in thousands. From arXiv
# 1811.03060, group-sparsity-sbp and Tutorial_BayesianCompressionForDL.
PUBLISHED = (
    ('SBP', '3-18-284-283', 0.86, 217),
    ('BC-GNJ', '8-13-88-13', 1.0, 290),
    ('BC-GHS', '5-10-76-16', 1.0, 158),
    ('L0-sep', '9-18-65-25', 1.0, 403),
    ('GD', '7-13-208-16', 1.1, 254),
)
# Error in % and FLOPs in thousands that were to be reached.
GOALS = ((0.86, 217), (1.0, 158))

INTRODUCTION = """## LeNet-5-Caffe, MNIST

`make results REPAIR=1 MNIST=path/of/mnist`, seeds {first} to {last}, {minutes:.0f} CPU
minutes for each on {machine}.

The network (20-50-800-500) is trained for {epochs} epochs: Adam at {rate:g} with cosine
decay. Then it gets narrower in rounds: channels go by `{by}`, what is left is repaired
on {samples:,} images without labels, stripped, and trained on with labels, for
{tune_epochs} epochs in all rounds. {held_out:,} of the training images are held out.
The last rounds were lengthened once, after a look at the test error with seed 0, so the
seeds are others; with these the test images are looked at once for each row. Figures
are means over the seeds, with the standard deviation in brackets. FLOPs are counted as
the published ones are: `(25 in + 1) h w out` of a convolution, `(in + 1) out` of a
dense layer.
"""


def key(widths: Tuple[int, int, int]) -> str:
    """Name of the piece of a round."""
    return '-'.join(map(str, widths))


def flops(widths: Sequence[int], classes: int = 10) -> int:
    """In the convention of the published figures.

    >>> flops(WHOLE)
    2308230
    """
    first, second, hidden = widths
    pixels = 4 * 4
    return (
        (25 + 1) * 24 * 24 * first
        + (25 * first + 1) * 8 * 8 * second
        + (pixels * second + 1) * hidden
        + (hidden + 1) * classes
    )


def section(
    facts: Mapping[str, Any],
    shown: Sequence[Tuple[int, int, int]],
    seeds: Sequence[Mapping[str, Found]],
) -> str:
    """Markdown of all that was measured.

    Args:
      facts: what the introduction says.
      shown: widths.
      seeds: what each seed found.
    """
    seconds = [piece['cpu_seconds'] for found in seeds for piece in found.values()]
    introduction = INTRODUCTION.format(
        machine=results_page.machine(), minutes=sum(seconds) / 60 / len(seeds), **facts
    )
    rows = [
        _row('unpruned', WHOLE, seeds, BASELINE),
        *(_row('tf1pruning', widths, seeds, key(widths)) for widths in shown),
        *([name, each, f'{error:g}', f'{k}'] for name, each, error, k in PUBLISHED),
    ]
    table = text.markdown_table(['', 'widths', 'error, %', 'FLOPs, thousands'], rows)
    goals = ', '.join(f'{error:g} % at {k} thousand' for error, k in GOALS)
    return '\n\n'.join(
        [introduction.strip(), table.strip(), f'To be reached: {goals}.']
    )


def _row(
    name: str,
    widths: Sequence[int],
    seeds: Sequence[Mapping[str, Found]],
    piece: str,
) -> List[str]:
    first, second, hidden = widths
    errors = 1 - seed_spread.values(seeds, piece)
    return [
        name,
        f'{first}-{second}-{16 * second}-{hidden}',
        seed_spread.percents(errors),
        f'{flops(widths) / 1e3:.0f}',
    ]
