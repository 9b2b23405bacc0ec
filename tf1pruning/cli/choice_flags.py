"""Flags that say how many channels go."""

from __future__ import annotations

from typing import Optional, Tuple

from absl import flags

from tf1pruning.choosing import choice as choice_lib
from tf1pruning.choosing.choice import Choice, Limits, Target, WidthBins
from tf1pruning.cli import program
from tf1pruning.criteria import registry
from tf1pruning.errors import OptionError

DEFAULT_THRESHOLD = 0.5


def define() -> None:
    """Defines the flags."""
    _define_amounts()
    flags.DEFINE_list('scope_ratios', [], 'Ratios by scope: net/a:0.5,net/b:0.25.')
    flags.DEFINE_list(
        'width_bins', [], 'Bounds of width bins, e.g. 16,64,256: [16, 64), [64, 256).'
    )
    flags.DEFINE_list('width_ratios', [], 'The ratio of each width bin.')
    define_limits()
    flags.DEFINE_float(
        'flop_penalty',
        0.0,
        'In a global ranking: factor of the relative MACs of a channel, which add to '
        'its score.',
    )


def define_limits() -> None:
    """Defines the flags of widths, and of groups that stay."""
    flags.DEFINE_integer('channel_multiple', 4, 'Kept widths are multiples of this.')
    flags.DEFINE_integer('min_width', 1, 'Fewest channels of a group that stay.')
    flags.DEFINE_float('max_share', 1.0, 'Largest share of a group that goes.')
    flags.DEFINE_list(
        'protect', [], 'Regular expressions; groups whose names match one stay.'
    )


def define_targets() -> None:
    """Defines the flags of budgets."""
    flags.DEFINE_float('target_macs', None, 'Share of the MACs that stays.')
    flags.DEFINE_float('target_parameters', None, 'Share of the parameters that stays.')
    flags.DEFINE_float(
        'target_latency', None, 'Share of the measured latency that stays.'
    )


def _define_amounts() -> None:
    flags.DEFINE_float(
        'threshold',
        None,
        f'Channels with a larger score go. Default for sparsity: {DEFAULT_THRESHOLD}.',
    )
    flags.DEFINE_float('ratio', None, 'Share of the channels of each group that goes.')
    flags.DEFINE_integer('count', None, 'Number of channels of each group that go.')
    define_targets()
    flags.DEFINE_enum(
        'ranking',
        choice_lib.PER_GROUP,
        list(choice_lib.RANKINGS),
        'group: ratio and count are those of each group. global: those of all groups '
        'together, ranked in one list. A target ranks globally.',
    )


def choice(criterion: str) -> Choice:
    """The choice by the flags; without any of them the default threshold.

    Args:
      criterion: what ranks channels.

    Raises:
      OptionError: if the flags contradict each other, or there is no default.
    """
    values = flags.FLAGS
    threshold, found, bins = values.threshold, target(), _bins()
    counted = (values.ratio, values.count, found, bins, values.scope_ratios or None)
    if threshold is None and all(given is None for given in counted):
        if not registry.find(criterion).is_share:
            raise OptionError(
                f'Criterion {criterion!r} has no default threshold: give --ratio, '
                '--count or a target such as --target_macs.'
            )
        threshold = DEFAULT_THRESHOLD
    return Choice(
        threshold=threshold,
        ratio=values.ratio,
        count=values.count,
        target=found,
        ranking=values.ranking,
        scope_ratios=_scope_ratios(),
        bins=bins,
        limits=limits(),
        flop_penalty=values.flop_penalty,
    )


def limits() -> Limits:
    """What must stay of every group.

    Raises:
      OptionError: on a value out of range.
    """
    values = flags.FLAGS
    return Limits(values.channel_multiple, values.min_width, values.max_share)


def target() -> Optional[Target]:
    """The budget, if there is one.

    Raises:
      OptionError: if there are several, or it is out of range.
    """
    given = [
        Target(quantity, value)
        for quantity in choice_lib.QUANTITIES
        for value in [flags.FLAGS[f'target_{quantity}'].value]
        if value is not None
    ]
    if len(given) > 1:
        names = ' and '.join(f'--target_{target.quantity}' for target in given)
        raise OptionError(f'Give one target, not {names}.')
    return given[0] if given else None


def _bins() -> Optional[WidthBins]:
    if not flags.FLAGS.width_bins and not flags.FLAGS.width_ratios:
        return None
    return WidthBins(
        tuple(map(int, program.numbers('width_bins'))),
        tuple(program.numbers('width_ratios')),
    )


def _scope_ratios() -> Tuple[Tuple[str, float], ...]:
    pairs = []
    for text in flags.FLAGS.scope_ratios:
        scope, colon, ratio = text.rpartition(':')
        try:
            pairs.append((scope, float(ratio if colon else '')))
        except ValueError:
            raise OptionError(
                f'--scope_ratios has {text!r}; expected scope:ratio, such as net/a:0.5.'
            ) from None
    return tuple(pairs)
