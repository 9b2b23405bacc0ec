"""The section of docs/results.md on CIFAR-10."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Sequence

from benchmarks import results_page, seed_spread
from benchmarks.cifar_schedules import BY, ROUNDS, WAYS
from benchmarks.resumable import Found
from tf1pruning.report import text

# Shares of the MACs that go.
LEVELS = (0.3, 0.5, 0.7)
BASELINE = 'baseline'
ON_DATA = ('taylor_abs_rs', 'fisher')
CRITERIA = (
    *('random', 'l1', 'mean_square', 'sparsity', 'geometric_median'),
    *ON_DATA,
)
SCRATCH_SHORT, SCRATCH_LONG = 'scratch_short', 'scratch_long'
PICTURE = 'results_cifar.png'
# What each seed found, by piece.
Seeds = Sequence[Mapping[str, Found]]

INTRODUCTION = """## CIFAR-10: accuracy against MACs

`make results CIFAR10=path/of/cifar10`, {count} seeds from 0 on, {minutes:.0f} minutes
(the times of all parts added up) on {machine}.

The network is a ResNet of three blocks (stem, 16, 32 and 64 channels; the shortcuts are
pruned, too) on the images at 16x16. It is trained for {epochs:g} epochs: momentum with
cosine decay from 0.1, batch 128, shifts and flips; {whole} % of the 10,000 test
images are then right. Of every group the same share of channels goes, so that each
criterion leaves the same widths, and {macs_left} of the MACs ({parameters_left} of the
parameters). What is left is fine-tuned for {tune_epochs:g} epoch, from 0.02 with cosine
decay. *scratch*: the same widths with random weights, trained like the network itself,
as long as a fine-tuning or as long as training and fine-tuning together.
`taylor_abs_rs` and `fisher` see {scored:,} training images.

Everything is done once with each seed, the first training included. Figures are means
over the seeds, with the standard deviation in brackets. Below, *clearly* says that two
means of a level differ by more than {times} times its typical standard deviation, the
root mean square of those of all rows: {typical} points.
Other differences are not told from chance.

![Accuracy against MACs]({picture})

Bars are standard deviations. The curves are moved apart a little, sideways.

### Criteria, at once
"""
SCHEDULES_INTRODUCTION = """### Schedules, by `{by}`

The same widths, reached at once or in {rounds} rounds, with as many steps of
fine-tuning in all: each round has a third of them, and goes on in the images where the
one before it stopped. `harmonic`, `linear` and `cubic` are the paces of
`tf1pruning.schedules`: how much is gone after each round. The learning rate decays
once, over all rounds, and the optimizer goes on; in the last row both start anew in
each round. Rounded to whole channels, two paces may be the same.
"""
SUMMARY = """
- Criteria, best mean after fine-tuning:
{criteria}
- Schedules, best mean (chosen by the figures above, which flatters it a little):
{schedules}
- A schedule in rounds is clearly better than at once at {rounds_above} of {rounds_all}
  points, and clearly worse at {rounds_below}.
- At the pace `linear`, one decay over all rounds is clearly better than one in each
  round at {decay_above} of {levels} levels, and clearly worse at {decay_below}.
- Fine-tuning is clearly better than the same widths from scratch with the same budget
  at {short_above} of {all} points, and clearly worse than those with the whole budget
  at {long_below}.
- The best schedule is clearly better than the whole budget from scratch at
  {best_above} of {levels} levels, and clearly worse at {best_below}.
"""
# Pruning at once is one of them.
SCHEDULE_LABELS = {
    BY: 'at once',
    **{kind: kind for kind in WAYS},
    'linear_restarts': 'linear, rate anew',
}
_SCRATCH_LABELS = {
    SCRATCH_SHORT: 'scratch, {tune_epochs:g} epoch',
    SCRATCH_LONG: 'scratch, {all_epochs:g} epochs',
}


def key(kind: str, level: float) -> str:
    """Name of the piece of a criterion, a schedule or a training from scratch."""
    return f'{kind} {level:g}'


def scratch_labels(facts: Mapping[str, Any]) -> Dict[str, str]:
    """Kind of a training from scratch -> what it is called."""
    epochs = facts['epochs'] + facts['tune_epochs']
    return {
        kind: label.format(all_epochs=epochs, **facts)
        for kind, label in _SCRATCH_LABELS.items()
    }


def accuracies(seeds: Seeds, kind: str, level: float) -> Any:
    """`[seeds]` test accuracies of a kind at a level."""
    return seed_spread.values(seeds, key(kind, level))


def typical(seeds: Seeds, level: float) -> float:
    """Typical standard deviation of the accuracies after training, at a level."""
    kinds = (*CRITERIA, *WAYS, SCRATCH_SHORT, SCRATCH_LONG)
    return seed_spread.typical(accuracies(seeds, kind, level) for kind in kinds)


def section(facts: Mapping[str, Any], seeds: Seeds) -> str:
    """Markdown of all that was measured.

    Args:
      facts: what the introduction says.
      seeds: what each seed found.
    """
    return '\n\n'.join(
        part.strip()
        for part in (
            _introduction(facts, seeds),
            _criteria(facts, seeds),
            SCHEDULES_INTRODUCTION.format(by=BY, rounds=ROUNDS),
            _schedules(seeds),
            SUMMARY.format(**_named(seeds), **_counts(seeds)),
        )
    )


def _introduction(facts: Mapping[str, Any], seeds: Seeds) -> str:
    return INTRODUCTION.format(
        machine=results_page.machine(),
        whole=seed_spread.percents(seed_spread.values(seeds, BASELINE)),
        picture=PICTURE,
        macs_left=_shares(seeds, 'macs_left'),
        parameters_left=_shares(seeds, 'parameters_left'),
        times=seed_spread.TIMES,
        count=len(seeds),
        typical=', '.join(f'{100 * typical(seeds, level):.2f}' for level in LEVELS),
        **facts,
    )


def _shares(seeds: Seeds, name: str) -> str:
    found = (seeds[0][key(CRITERIA[0], level)][name] for level in LEVELS)
    return ', '.join(f'{share:.0%}' for share in found)


def _criteria(facts: Mapping[str, Any], seeds: Seeds) -> str:
    labels = scratch_labels(facts)
    header = ['accuracy, %']
    for level in LEVELS:
        header += [f'{level:.0%} off, pruned', 'fine-tuned']
    rows = []
    for kind in (*CRITERIA, SCRATCH_SHORT, SCRATCH_LONG):
        pieces = [key(kind, level) for level in LEVELS]
        cells = [
            seed_spread.percents(seed_spread.values(seeds, piece, name))
            if name in seeds[0][piece]
            else ''
            for piece in pieces
            for name in ('pruned', 'accuracy')
        ]
        rows.append([labels.get(kind, kind), *cells])
    return text.markdown_table(header, rows)


def _schedules(seeds: Seeds) -> str:
    header = ['accuracy, %', *(f'{level:.0%} off' for level in LEVELS)]
    rows = [
        [
            label,
            *(seed_spread.percents(accuracies(seeds, kind, level)) for level in LEVELS),
        ]
        for kind, label in SCHEDULE_LABELS.items()
    ]
    return text.markdown_table(header, rows)


def best(seeds: Seeds, kinds: Iterable[str], level: float) -> str:
    """The kind with the best mean accuracy at a level."""
    return max(kinds, key=lambda kind: accuracies(seeds, kind, level).mean())


def _named(seeds: Seeds) -> Dict[str, str]:
    """The best of each level, and what is clearly below it."""
    criteria = {kind: f'`{kind}`' for kind in CRITERIA}
    return {
        'criteria': _bests(criteria, seeds),
        'schedules': _bests(SCHEDULE_LABELS, seeds),
    }


def _bests(labels: Mapping[str, str], seeds: Seeds) -> str:
    found = []
    for level in LEVELS:
        first = best(seeds, labels, level)
        below = [
            label
            for kind, label in labels.items()
            if _is_above(seeds, first, kind, level)
        ]
        worse = '; '.join(below) or 'none'
        found.append(f'  - {level:.0%} off: {labels[first]}. Clearly worse: {worse}.')
    return '\n'.join(found)


def _is_above(seeds: Seeds, one: str, other: str, level: float) -> bool:
    ones, others = (accuracies(seeds, kind, level) for kind in (one, other))
    return seed_spread.is_above(ones, others, typical(seeds, level))


def _counts(seeds: Seeds) -> Dict[str, int]:
    """At how many points one kind is clearly above another."""

    def above(ones: Iterable[str], others: Iterable[str]) -> int:
        return sum(
            _is_above(seeds, one, other, level)
            for one in ones
            for other in others
            for level in LEVELS
        )

    schedules = [best(seeds, SCHEDULE_LABELS, level) for level in LEVELS]
    best_at = list(zip(schedules, LEVELS))
    return {
        'levels': len(LEVELS),
        'all': len(LEVELS) * len(CRITERIA),
        'rounds_all': len(LEVELS) * len(WAYS),
        'rounds_above': above(WAYS, [BY]),
        'rounds_below': above([BY], WAYS),
        'decay_above': above(['linear'], ['linear_restarts']),
        'decay_below': above(['linear_restarts'], ['linear']),
        'short_above': above(CRITERIA, [SCRATCH_SHORT]),
        'long_below': above([SCRATCH_LONG], CRITERIA),
        'best_below': sum(_is_above(seeds, SCRATCH_LONG, k, at) for k, at in best_at),
        'best_above': sum(_is_above(seeds, k, SCRATCH_LONG, at) for k, at in best_at),
    }
