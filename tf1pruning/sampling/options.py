"""How samples are read, and for which inputs."""

from __future__ import annotations

import dataclasses
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tf1pruning import names, typed
from tf1pruning.data import records
from tf1pruning.errors import DataError, OptionError
from tf1pruning.sampling.fitting import Input

# The data that is the input pipeline of the training graph.
GRAPH = 'graph'
# The value of `labels` for images in a folder per class.
FOLDERS = 'folders'
IMAGE_OPTIONS = ('image_size', 'image_range', 'mean', 'std', 'bgr')


@typed.checked
@dataclasses.dataclass(frozen=True)
class SampleOptions:
    """How samples are read.

    Attributes:
      inputs: array of the data -> input that it is for, where their names differ.
      image_size: height and width that images get; None: those of the input.
      image_range: what black and white become, such as (-1, 1); needed for images that
        enter as floats.
      mean: of each channel, in the range; it is subtracted.
      std: of each channel, in the range; by it is divided then.
      bgr: whether the network reads blue, green, red; mean and std have its order.
      feature_key: of the examples of TFRecords.
      labels: array of the data with the classes; or 'folders': images lie in a folder
        per class. Only accuracy is reported with them.
      count: the most samples, drawn by lot; None: all, or 512 of batches, an
        `input_fn` or an input pipeline.
      batch_size: None: that of the network, or 32, fewer of large examples.
    """

    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    image_size: Optional[Tuple[int, int]] = None
    image_range: Optional[Tuple[float, float]] = None
    mean: Tuple[float, ...] = ()
    std: Tuple[float, ...] = ()
    bgr: bool = False
    feature_key: str = records.ENCODED
    labels: Optional[str] = None
    count: Optional[int] = None
    batch_size: Optional[int] = None

    def __post_init__(self) -> None:
        for name, flag in (('image_size', 'image_size'), ('count', 'samples')):
            value = getattr(self, name)
            if value is not None and np.min(value) < 1:
                raise OptionError(
                    f'{name} is {value}; expected at least 1.', options=(flag,)
                )
        low, high = self.image_range or (0, 1)
        if not -np.inf < low < high < np.inf:
            raise OptionError(
                f'image_range is {self.image_range}; expected two finite numbers, the '
                'smaller one first.',
                options=('image_range',),
            )

    def given(self) -> List[str]:
        """Names of the fields that say how data of one kind is read, if they do."""
        fields = ('inputs', *IMAGE_OPTIONS, 'feature_key', 'labels')
        default = SampleOptions()
        return [n for n in fields if getattr(self, n) != getattr(default, n)]


class Wanted(NamedTuple):
    """What is to be read: for which inputs, and how."""

    inputs: Mapping[str, Input]
    required: Sequence[str]
    options: SampleOptions

    def check_options(self, kind: str, known: Sequence[str]) -> None:
        """Raises OptionError for options that this kind of data does not have."""
        unknown = [name for name in self.options.given() if name not in known]
        if unknown:
            raise OptionError(
                f'{kind} is read without {names.quoted(unknown)}: leave that out, or '
                'give other data.',
                options=unknown,
            )

    def only(self, kind: str) -> Input:
        """The only input, for data of one kind of thing."""
        if len(self.required) != 1:
            raise DataError(
                f'{kind} is for one input, and the network needs '
                f'{names.quoted(self.required)}. Give a file of arrays (.npz) with one '
                'for each.',
                options=('data',),
            )
        return self.inputs[self.required[0]]
