"""Flags of samples: which file it is, and how they are read."""

from __future__ import annotations

import dataclasses
import math
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from absl import flags

from tf1pruning.cli import program
from tf1pruning.errors import OptionError
from tf1pruning.models.model import Model
from tf1pruning.notes import Note
from tf1pruning.sampling.options import FOLDERS, GRAPH, SampleOptions
from tf1pruning.sampling.parts import HOLDOUT, Samples
from tf1pruning.sessions import RunLimits
from tf1pruning.steps import sampling


def define_data(what: str) -> None:
    """Defines the flags of data in general, with a help text."""
    flags.DEFINE_string('data', None, what)
    flags.DEFINE_list('inputs', [], 'Which array is which input: x=input,y=input_1.')


def named_inputs() -> Dict[str, str]:
    """Array -> input, of --inputs.

    Raises:
      OptionError: if it is malformed.
    """
    pairs = [text.partition('=') for text in flags.FLAGS.inputs]
    wrong = [t for t, (_, equals, _) in zip(flags.FLAGS.inputs, pairs) if not equals]
    if wrong:
        raise OptionError(f'--inputs has {wrong[0]!r}; expected array=input.')
    return {name: target for name, _, target in pairs}


def define_inputs(use: str = '') -> None:
    """Defines the flags of samples for the inputs; those of limits come from elsewhere.

    Args:
      use: a sentence on what the program does with the samples.
    """
    define_data(
        'Samples without labels: arrays (.npz), one per input, samples first; a folder '
        'of images; TFRecords (a file, a folder, or a pattern in quotes); or '
        f'"{GRAPH}": the input pipeline of the training graph. {use}'.strip()
    )
    flags.DEFINE_list(
        'image_size',
        [],
        'Height and width of images, or one number for both. Default: those of the '
        'input.',
    )
    flags.DEFINE_list(
        'image_range',
        [],
        'What black and white become: -1,1 or 0,1 or 0,255, as in the training.',
    )
    flags.DEFINE_list(
        'mean',
        [],
        'Mean of each channel, in that range, which is subtracted from images.',
    )
    flags.DEFINE_list(
        'std', [], 'Deviation of each channel, by which images are divided then.'
    )
    flags.DEFINE_bool('bgr', False, 'The network reads blue, green, red.')
    flags.DEFINE_string(
        'feature_key',
        SampleOptions.feature_key,
        'Feature of TFRecords with the image, or with as many numbers as the input '
        'takes.',
    )
    flags.DEFINE_integer('samples', None, 'Samples at most, drawn by lot.')


def define(use: str = '') -> None:
    """Like `define_inputs`, for samples that something is fitted to."""
    define_inputs(use)
    flags.DEFINE_float(
        'temporary_gb',
        4.0,
        'Gigabytes that the temporary files of each part may take; with fewer, more is '
        'computed again.',
        lower_bound=0,
    )
    flags.DEFINE_float(
        'holdout',
        HOLDOUT,
        'Share of the samples that nothing is fitted to: half of it chooses, the other '
        'is only reported.',
    )
    flags.DEFINE_integer(
        'batch_size',
        None,
        'Samples per batch. Default: that of the network, or '
        f'{sampling.DEFAULT_BATCH}, fewer of large samples.',
    )


def define_labels() -> None:
    """Defines the flag of labels, of programs that report accuracy."""
    flags.DEFINE_string(
        'labels',
        None,
        'Array of --data with classes, to report accuracy; they are used for nothing '
        f'else. "{FOLDERS}": images lie in a folder per class, in sorted order.',
    )


def disk() -> int:
    """Bytes that temporary files may take.

    Raises:
      OptionError: if the flag is no number.
    """
    size = flags.FLAGS.temporary_gb * (1 << 30)
    if not math.isfinite(size):
        raise OptionError(f'--temporary_gb is {size}; expected a number of gigabytes.')
    return int(size)


def samples(model: Model) -> Tuple[Samples, List[str]]:
    """The samples that the flags of `define` name, and warnings of them.

    What was done to them is printed, and what does not fit the model's batch norms;
    that is also what the warnings say.

    Raises:
      OptionError: on bad flags.
      DataError: if the data is missing, damaged, or does not fit the model.
      GraphError: if an input pipeline does more than to read files, or the model is not
        safe to run.
    """
    values = flags.FLAGS
    labels = values.labels if 'labels' in values else None
    more = {'labels': labels, 'batch_size': values.batch_size}
    return _read(model, dataclasses.replace(_options(), **more))


def inputs(model: Model, count: Optional[int]) -> Dict[str, np.ndarray]:
    """Input -> array of `count` of the samples that the flags of `define_inputs` name.

    Args:
      model: whose inputs they are for.
      count: how many; None: all.

    Raises:
      Tf1PruningError: like `samples`.
    """
    found, _ = _read(model, _options())
    return found.first(found.count if count is None else count)


def _read(model: Model, options: SampleOptions) -> Tuple[Samples, List[str]]:
    values = flags.FLAGS
    limits = RunLimits(values.allow_unsafe_ops, values.verify_timeout)
    found = sampling.of_model(model, values.data, options, limits)
    for note in found.notes:
        print(program.with_flags(note.text, note.options))
    warned = [_advised(note) for note in sampling.warnings(model, found, limits)]
    for line in warned:
        print(f'Warning: {line}')
    return found, warned


def _advised(note: Note) -> str:
    """A warning, with the flags that help; arrays have none."""
    if flags.FLAGS.data.endswith('.npz') or flags.FLAGS.data == GRAPH:
        return f'{note.text} Arrays are fed as they are: scale them before.'
    return program.with_flags(note.text, note.options)


def _options() -> SampleOptions:
    values = flags.FLAGS
    return SampleOptions(
        inputs=named_inputs(),
        image_size=_size(),
        image_range=_range(),
        mean=tuple(program.numbers('mean')),
        std=tuple(program.numbers('std')),
        bgr=values.bgr,
        feature_key=values.feature_key,
        count=values.samples,
    )


def _size() -> Optional[Tuple[int, int]]:
    found = _numbers('image_size', (0, 1, 2))
    if any(number != int(number) for number in found):
        raise OptionError(f'--image_size is {found}; expected whole numbers.')
    return (int(found[0]), int(found[-1])) if found else None


def _range() -> Optional[Tuple[float, float]]:
    found = _numbers('image_range', (0, 2))
    return (found[0], found[1]) if found else None


def _numbers(name: str, counts: Sequence[int]) -> List[float]:
    """The numbers of a flag, which must be one of so many."""
    found = program.numbers(name)
    if len(found) not in counts:
        raise OptionError(
            f'--{name} has {len(found)} numbers; expected '
            f'{" or ".join(str(count) for count in counts if count)}.'
        )
    return found
