"""The section of docs/results.md on CIFAR-10, and its plot."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from benchmarks import results_page
from benchmarks.pieces import Found
from tf1pruning.report import plots, text

# Shares of the MACs that go.
LEVELS = (0.3, 0.5, 0.7)
ON_DATA = ('taylor_abs_rs', 'fisher')
CRITERIA = (
    *('random', 'l1', 'mean_square', 'sparsity', 'geometric_median'),
    *ON_DATA,
)
ROUNDS, IN_ROUNDS, IN_ROUNDS_BY = 3, 'in_rounds', 'l1'
SCRATCH_SHORT, SCRATCH_LONG = 'scratch_short', 'scratch_long'
PICTURE = 'results_cifar.png'

INTRODUCTION = """## CIFAR-10: accuracy against MACs

`make results CIFAR10=path/of/cifar10`, seed {seed}, {minutes:.0f} minutes on {machine}.

The network is a ResNet of three blocks (stem, 16, 32 and 64 channels; the shortcuts are
pruned, too) on the images at 16x16. It is trained for {epochs:g} epochs: momentum with
cosine decay from 0.1, batch 128, shifts and flips; {whole:.2%} of the 10,000 test
images are then right. Of every group the same share of channels goes, so that each
criterion leaves the same widths, and {macs_left} of the MACs ({parameters_left} of the
parameters). What is left is fine-tuned for {tune_epochs:g} epoch, from 0.02.
*rounds*: pruned in three equal steps, each with a third of the fine-tuning; {rounds}
of the MACs are left. *scratch*: the same widths with random weights, trained like the
network itself, as long as a fine-tuning or as long as training and fine-tuning
together. `taylor_abs_rs` and `fisher` see {scored:,} training images. One training
each; the standard error of an accuracy is 0.4 to 0.5 points.

![Accuracy against MACs]({picture})
"""
SUMMARY = """
- Best after fine-tuning: {best}.
- From the best to the worst criterion but `random` it is {spread} points; to `random`
  it is {to_random}.
- `{by}` in rounds is better than at once at {rounds} of {levels} levels.
- Fine-tuning beats the same widths from scratch with the same budget at {short} of
  {all} points, and those with the whole budget at {long}.
"""
_LABELS = {
    IN_ROUNDS: f'{IN_ROUNDS_BY}, {ROUNDS} rounds',
    SCRATCH_SHORT: 'scratch, {tune_epochs:g} epoch',
    SCRATCH_LONG: 'scratch, {all_epochs:g} epochs',
}


def key(kind: str, level: float) -> str:
    """Name of the piece of a criterion, or a training from scratch, at a level."""
    return f'{kind} {level:g}'


def section(facts: Mapping[str, Any], found: Mapping[str, Found]) -> str:
    """Markdown of all that was measured.

    Args:
      facts: what the introduction says.
      found: `whole` and the pieces by name.
    """
    introduction = INTRODUCTION.format(
        machine=results_page.machine(),
        whole=found['whole']['accuracy'],
        picture=PICTURE,
        macs_left=_shares(found, CRITERIA[0], 'macs_left'),
        parameters_left=_shares(found, CRITERIA[0], 'parameters_left'),
        rounds=_shares(found, IN_ROUNDS, 'macs_left'),
        **facts,
    )
    header = ['accuracy, %']
    for level in LEVELS:
        header += [f'{level:.0%} off, pruned', 'fine-tuned']
    table = text.markdown_table(header, _rows(_labels(facts), found))
    summary = SUMMARY.format(**_counts(found))
    return '\n\n'.join([introduction.strip(), table, summary.strip()])


def _shares(found: Mapping[str, Found], kind: str, name: str) -> str:
    return ', '.join(f'{found[key(kind, level)][name]:.0%}' for level in LEVELS)


def _labels(facts: Mapping[str, Any]) -> Dict[str, str]:
    epochs = facts['epochs'] + facts['tune_epochs']
    return {
        kind: label.format(all_epochs=epochs, **facts)
        for kind, label in _LABELS.items()
    }


def _rows(labels: Mapping[str, str], found: Mapping[str, Found]) -> List[List[str]]:
    rows = []
    for kind in (*CRITERIA, *labels):
        pieces = [found[key(kind, level)] for level in LEVELS]
        cells = [
            f'{100 * piece[name]:.2f}' if name in piece else ''
            for piece in pieces
            for name in ('pruned', 'accuracy')
        ]
        rows.append([labels.get(kind, kind), *cells])
    return rows


def _counts(found: Mapping[str, Found]) -> Dict[str, Any]:
    """What the summary says."""
    ordered = [
        sorted(CRITERIA[1:], key=lambda kind: _accuracy(found, kind, level))
        for level in LEVELS
    ]
    best, worst = ([kinds[at] for kinds in ordered] for at in (-1, 0))
    named = (f'`{kind}` at {level:.0%}' for kind, level in zip(best, LEVELS))
    return {
        'best': ', '.join(named),
        'spread': _gaps(found, best, worst),
        'to_random': _gaps(found, best, CRITERIA[:1] * len(LEVELS)),
        'by': IN_ROUNDS_BY,
        'rounds': sum(
            _accuracy(found, IN_ROUNDS, level) > _accuracy(found, IN_ROUNDS_BY, level)
            for level in LEVELS
        ),
        'levels': len(LEVELS),
        'all': len(LEVELS) * len(CRITERIA),
        'short': _above(found, SCRATCH_SHORT),
        'long': _above(found, SCRATCH_LONG),
    }


def _accuracy(found: Mapping[str, Found], kind: str, level: float) -> float:
    return float(found[key(kind, level)]['accuracy'])


def _gaps(
    found: Mapping[str, Found], ones: Sequence[str], others: Sequence[str]
) -> str:
    """By how many points one kind is above another, at each level."""
    gaps = (
        _accuracy(found, one, level) - _accuracy(found, other, level)
        for level, one, other in zip(LEVELS, ones, others)
    )
    return ', '.join(f'{100 * gap:.1f}' for gap in gaps)


def _above(found: Mapping[str, Found], scratch: str) -> int:
    return sum(
        _accuracy(found, criterion, level) > _accuracy(found, scratch, level)
        for level in LEVELS
        for criterion in CRITERIA
    )


def plot(found: Mapping[str, Found]) -> bytes:
    """A PNG file: a curve per criterion, and the trainings from scratch."""
    figure, axes = plots.pyplot().subplots(figsize=(7, 4.5), constrained_layout=True)
    whole = found['whole']['accuracy']
    for kind in (*CRITERIA, *_LABELS):
        is_scratch = kind.startswith('scratch')
        # Trained from scratch are the widths that the criteria leave.
        measured = CRITERIA[0] if is_scratch else kind
        points = [
            (found[key(measured, level)]['macs_left'], _accuracy(found, kind, level))
            for level in LEVELS
        ]
        if not is_scratch:
            points.insert(0, (1.0, whole))
        axes.plot(
            *zip(*((100 * macs, 100 * value) for macs, value in points)),
            label=kind.replace('_', ' '),
            linestyle='--' if is_scratch else '-',
            color='black' if is_scratch else None,
            marker='s' if kind == SCRATCH_LONG else '.',
        )
    axes.set_xlabel('MACs, % of the unpruned network')
    axes.set_ylabel('test accuracy, %')
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return plots.png(figure)
