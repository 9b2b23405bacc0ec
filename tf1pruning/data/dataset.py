"""Defines data sets of labelled images."""

from __future__ import annotations

import dataclasses
from typing import Callable, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import typed


@typed.checked
@dataclasses.dataclass(frozen=True)
class Split:
    """Images for training, or for tests.

    Attributes:
      read: adds a pipeline to the default graph that gives each image once, in the
        order of the files: (uint8 `[height, width, channels]`, int32 label).
      count: how many there are.
    """

    read: Callable[[], tf.data.Dataset]
    count: int


@typed.checked
@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images of classes.

    Attributes:
      name: what users call it.
      train: for training.
      test: for tests.
      classes: number of classes.
      image: height, width and channels that a network gets.
      scaling: how its input function makes numbers of pixels: 'centred', 'vgg' ...
      augmentation: what its input function does to images in a training.
      sizes_vary: whether the images have other sizes than `image`, so that they are
        resized and cropped.
      enlarged: whether all images have one smaller size and are resized.
    """

    name: str
    train: Split
    test: Split
    classes: int
    image: Tuple[int, int, int]
    scaling: str = 'centred'
    augmentation: str = 'none'
    sizes_vary: bool = False
    enlarged: bool = False
