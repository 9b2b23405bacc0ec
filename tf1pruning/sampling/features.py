"""Samples from an `input_fn`, as an Estimator takes it, without its labels."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping

import tensorflow.compat.v1 as tf

from tf1pruning.scoring.batches import Batch, Batches, InputFn, signature_of


def of_input_fn(input_fn: InputFn) -> Batches:
    """The features that an `input_fn` gives.

    Of a pair the second part is labels, which are left out. Features in a mapping keep
    their keys as names; one tensor is named 'features', several 'features_0' and so on.

    Raises:
      DataError: if it gives neither a dataset nor tensors; later, when the batches are
        read, if the data cannot be read.
    """
    given, _ = signature_of(input_fn)
    is_pair = isinstance(given, (list, tuple)) and len(given) == 2
    features = _names(given[0] if is_pair else given, 'features')
    count = len(tf.nest.flatten(given))
    labels = [f'labels {number}' for number in range(count - len(features))]
    found = Batches.of_input_fn(input_fn, [*features, *labels])

    def start() -> Iterator[Batch]:
        for batch in found.start():
            yield {name: batch[name] for name in features}

    return Batches(start)


def _names(features: Any, name: str) -> List[str]:
    """A name for each of some nested features, in the order of `tf.nest.flatten`."""
    if isinstance(features, Mapping):
        parts = [(features[key], str(key)) for key in sorted(features)]
    elif tf.nest.is_nested(features):
        parts = [(each, f'{name}_{n}') for n, each in enumerate(features)]
    else:
        return [name]
    return [found for part in parts for found in _names(*part)]
