"""Encoded images -> what a network is fed with."""

from __future__ import annotations

import dataclasses
from typing import Callable, Iterable, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.data import folders
from tf1pruning.errors import OptionError

_LARGEST = 255.0


@dataclasses.dataclass(frozen=True)
class ImageForm:
    """How an image becomes the input of a network.

    Attributes:
      size: height and width: the largest middle part of these proportions is resized.
      channels: 1 or 3.
      limits: what black and white become; None: the pixels stay whole numbers.
      mean: of each channel, which is subtracted; in the order of the network.
      std: of each channel, by which is divided then.
      bgr: whether the network reads blue, green, red.
      channels_first: whether the channels come before height and width.
      shape: of what the network reads, without the batch.

    Raises:
      OptionError: if mean or std are not for that many channels, or std is not above 0.
    """

    size: Tuple[int, int]
    channels: int = 3
    limits: Optional[Tuple[float, float]] = None
    mean: Tuple[float, ...] = ()
    std: Tuple[float, ...] = ()
    bgr: bool = False
    channels_first: bool = False
    shape: Tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ('mean', 'std'):
            values = getattr(self, name)
            if len(values) not in (0, 1, self.channels):
                raise OptionError(
                    f'{name} has {len(values)} numbers, and the images that the '
                    f'network reads have {self.channels} channels; expected one for '
                    'each, or one for all.',
                    options=(name,),
                )
        finite = all(np.isfinite([*self.mean, *self.std]))
        if not finite or min(self.std, default=1) <= 0:
            raise OptionError(
                f'mean is {self.mean} and std {self.std}; expected finite numbers, and '
                'deviations above 0.',
                options=('mean', 'std'),
            )
        if self.bgr and self.channels != 3:
            raise OptionError(
                'The channels of grey images have no order blue, green, red.',
                options=('bgr',),
            )

    def fed(self, pixels: tf.Tensor) -> tf.Tensor:
        """What the network reads of an image.

        Args:
          pixels: uint8 `[height, width, channels]`.

        Returns:
          float32 of `shape`; uint8 if the pixels stay whole numbers.
        """
        x = _resized(pixels, self.size)
        x = x[..., ::-1] if self.bgr else x
        if self.limits is None:
            x = tf.cast(tf.round(x), tf.uint8)
        else:
            low, high = self.limits
            x = x * ((high - low) / _LARGEST) + low
            x = x - np.float32(self.mean) if self.mean else x
            x = x / np.float32(self.std) if self.std else x
        x = tf.transpose(x, [2, 0, 1]) if self.channels_first else x
        return tf.reshape(x, self.shape)


def dataset(
    form: ImageForm, encoded: Callable[[], Iterable[Tuple[bytes, str]]]
) -> tf.data.Dataset:
    """Images, one by one, in the form that a network reads.

    Args:
      form: of the images.
      encoded: gives the bytes of JPEG or PNG files, and a name for messages.
    """
    types = (tf.string, tf.string)
    files = tf.data.Dataset.from_generator(encoded, types, ((), ()))

    def fed(contents: tf.Tensor, name: tf.Tensor) -> tf.Tensor:
        return form.fed(folders.decoded(contents, name, form.channels))

    return files.map(fed, num_parallel_calls=2)


def _resized(pixels: tf.Tensor, size: Tuple[int, int]) -> tf.Tensor:
    """The middle of an image, `[height, width, channels]` of float32."""
    found = tf.shape(pixels)
    height, width = size
    rows = tf.minimum(found[0], tf.maximum(found[1] * height // width, 1))
    columns = tf.minimum(found[1], tf.maximum(found[0] * width // height, 1))
    middle = tf.image.crop_to_bounding_box(
        pixels, (found[0] - rows) // 2, (found[1] - columns) // 2, rows, columns
    )
    # Bilinear interpolation of an image that gets much smaller skips pixels.
    x = tf.cond(
        tf.logical_and(rows >= height, columns >= width),
        lambda: tf.image.resize_area(middle[None], size)[0],
        lambda: tf.image.resize(middle, size, tf.image.ResizeMethod.BILINEAR),
    )
    return tf.reshape(
        tf.cast(x, tf.float32), [height, width, pixels.shape.as_list()[2]]
    )
