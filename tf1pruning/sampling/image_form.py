"""What an image must become for an input of a network."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from tf1pruning.data.pixels import ImageForm
from tf1pruning.errors import DataError, OptionError
from tf1pruning.sampling.fitting import Input
from tf1pruning.sampling.options import SampleOptions, Wanted


def form_of(wanted: Wanted, kind: str) -> ImageForm:
    """How an image becomes what the only input takes.

    Args:
      wanted: the inputs of the network, and what the user says of the images.
      kind: of the data, for messages.

    Raises:
      OptionError: if something must be said about the images.
      DataError: if the input takes no images, or there are several.
    """
    found, options = wanted.only(kind), wanted.options
    size, channels, first = _geometry(found, options.image_size)
    _check_range(found, wanted.options)
    return ImageForm(
        size,
        channels,
        options.image_range,
        options.mean,
        options.std,
        options.bgr,
        first,
        _shape(found, size, channels, first),
    )


def _check_range(found: Input, options: SampleOptions) -> None:
    if found.dtype.kind == 'f' and options.image_range is None:
        raise OptionError(
            f'It is not known which range the pixels have that the input {found.name!r}'
            ' takes. Say what black and white are: -1,1 or 0,1 or 0,255, as in the '
            'training.',
            options=('image_range',),
        )
    is_scaled = bool(options.image_range or options.mean or options.std)
    if found.dtype.kind != 'f' and is_scaled:
        raise OptionError(
            f'The input {found.name!r} takes whole pixels ({found.dtype}): they are '
            'neither scaled nor centred. Leave range, mean and std out.',
            options=('image_range', 'mean', 'std'),
        )


def _shape(
    found: Input, size: Tuple[int, int], channels: int, first: bool
) -> Tuple[int, ...]:
    """Shape of an image as it is fed."""
    rank = 4 if found.shape is None else len(found.shape)
    if rank < 4:
        return size if rank == 3 else (size[0] * size[1] * channels,)
    return (channels, *size) if first else (*size, channels)


def _geometry(
    found: Input, asked: Optional[Tuple[int, int]]
) -> Tuple[Tuple[int, int], int, bool]:
    """Height and width, channels, and whether the channels come first."""
    shape = (None, None, None, 3) if found.shape is None else found.shape
    if found.dtype.kind not in 'fiu' or len(shape) not in (2, 3, 4):
        raise DataError(
            f'The input {found.name!r} takes {found.dtype} of the shape {shape}, no '
            'images. Give a file of arrays (.npz).',
            options=('data',),
        )
    first = len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3)
    channels = _channels(found, shape, asked, first)
    known = (shape[2:] if first else shape[1:3]) if len(shape) > 2 else (None, None)
    if asked is None and None in known:
        raise OptionError(
            f'The input {found.name!r} has the shape {shape}, which leaves the size of '
            'images open. Say their height and width.',
            options=('image_size',),
        )
    size = asked or (known[0] or 0, known[1] or 0)
    if any(want not in (None, got) for want, got in zip(known, size)):
        raise OptionError(
            f'The input {found.name!r} takes images of {known[0] or "any"} x '
            f'{known[1] or "any"}, and {size[0]} x {size[1]} is asked for.',
            options=('image_size',),
        )
    return size, channels, first


def _channels(
    found: Input,
    shape: Sequence[Optional[int]],
    asked: Optional[Tuple[int, int]],
    first: bool,
) -> int:
    if len(shape) == 4:
        channels = shape[1 if first else 3] or 3
    elif len(shape) == 3:
        channels = 1
    else:
        area = asked[0] * asked[1] if asked else 0
        channels = (shape[1] or 0) // area if area else 0
        if channels * area != shape[1]:
            channels = 0
    if channels not in (1, 3):
        raise OptionError(
            f'The input {found.name!r} has the shape {tuple(shape)}; expected images '
            'of 1 or 3 channels. Say their height and width, if it takes vectors.',
            options=('image_size',),
        )
    return channels
