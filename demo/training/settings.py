"""Checks the settings of train_pruning_class.py before anything is written."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from demo.datasets import registry
from demo.networks import mobilenet_v2
from demo.training import classifier
from tf1pruning import names, plan
from tf1pruning.data.dataset import Dataset
from tf1pruning.errors import OptionError
from tf1pruning.training import devices

MODELS: Dict[str, Callable[[int], mobilenet_v2.MobileNetV2Config]] = {
    'small': mobilenet_v2.small,
    'standard': mobilenet_v2.standard,
    'tiny': mobilenet_v2.tiny,
}
# What is expected, its test, and the numbers that it is for.
_RANGES: Tuple[Tuple[str, Callable[[float], bool], str], ...] = (
    (
        '>= 1',
        lambda value: value >= 1,
        'train_steps retrain_steps finetune_steps max_retrains channel_multiple '
        'batch_size checkpoint_steps',
    ),
    (
        '> 0',
        lambda value: 0 < value < float('inf'),
        'learning_rate retrain_learning_rate',
    ),
    ('>= 0', lambda value: 0 <= value < float('inf'), 'weight_decay l1_decay'),
    ('0 to 1', lambda value: 0 <= value <= 1, 'max_failure_rate'),
    ('between 0 and 1', lambda value: 0 < value < 1, 'test_share'),
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The flags that decide the outcome of a run, under their names.

    Raises:
      OptionError: names all flags whose values are out of range.
    """

    dataset: str
    test_share: float
    model: str
    activation: str
    train_steps: int
    retrain_steps: int
    finetune_steps: int
    thresholds: Tuple[float, ...]
    max_failure_rate: float
    max_retrains: int
    mode: str
    channel_multiple: int
    optimizer: str
    learning_rate: float
    retrain_learning_rate: float
    weight_decay: float
    l1_decay: float
    batch_size: int
    checkpoint_steps: int
    seed: int
    devices: Tuple[str, ...] = ()
    data_dir: Optional[str] = None

    def __post_init__(self) -> None:
        problems = [
            *self._bad_choices(),
            *self._bad_numbers(),
            *self._bad_thresholds(),
        ]
        if problems:
            raise OptionError('; '.join(problems) + '.')

    def _bad_choices(self) -> List[str]:
        problems = []
        for name, choices in (
            ('dataset', registry.known()),
            ('model', sorted(MODELS)),
            ('activation', sorted(mobilenet_v2.ACTIVATIONS)),
            ('mode', plan.MODES),
            ('optimizer', sorted(classifier.OPTIMIZERS)),
        ):
            value = getattr(self, name)
            if value not in choices:
                near = names.nearest(value, choices, 1)
                problems.append(
                    f'--{name} is {value!r}; expected one of {", ".join(choices)}'
                    + (f' (nearest: {near[0]})' if near else '')
                )
        problems += [f'--devices: {text}' for text in devices.problems(self.devices)]
        return problems

    def _bad_numbers(self) -> List[str]:
        return [
            f'--{name} is {getattr(self, name)}; expected {expected}'
            for expected, is_good, fields in _RANGES
            for name in fields.split()
            if not is_good(getattr(self, name))
        ]

    def _bad_thresholds(self) -> List[str]:
        outside = [f'{th:g}' for th in self.thresholds if not 0 < th < 1]
        if outside:
            return [f'--thresholds has {", ".join(outside)}; expected between 0 and 1']
        if not self.thresholds:
            return ['--thresholds is empty']
        if len(set(self.thresholds)) < len(self.thresholds):
            return ['--thresholds has a value twice']
        return []

    def as_json(self) -> Dict[str, Any]:
        """As JSON gives it back."""
        as_json: Dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return as_json

    @classmethod
    def from_json(cls, fields: Dict[str, Any]) -> Settings:
        """The settings that `as_json` gives."""
        tuples = {key: tuple(fields[key]) for key in ('thresholds', 'devices')}
        return cls(**{**fields, **tuples})

    def load_dataset(self) -> Dataset:
        """The images of the run.

        Raises:
          OptionError: if the folder is missing, or the images are too small.
          DataError: if files are missing, truncated, or not what they should be.
        """
        dataset = registry.load(self.dataset, self.data_dir, self.test_share, self.seed)
        least = self.model_config(dataset.classes, {}).least_side
        height, width, _ = dataset.image
        if min(height, width) < least:
            raise OptionError(
                f'--dataset={self.dataset} has images of {height} x {width} pixels; '
                f'--model={self.model} expects {least} x {least} or more. Take larger '
                'images, or a model with fewer strides.'
            )
        return dataset

    def model_config(
        self, classes: int, widths: Mapping[str, int]
    ) -> mobilenet_v2.MobileNetV2Config:
        """The network that `model` and `activation` name, with some narrower layers."""
        return dataclasses.replace(
            MODELS[self.model](classes), activation=self.activation, widths=widths
        )

    def pruning_scopes(self) -> List[str]:
        """Scopes of the network's squeeze-and-excite and expanding blocks."""
        return list(mobilenet_v2.pruning_scopes(MODELS[self.model](1)))
