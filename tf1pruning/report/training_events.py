"""TensorBoard events of a training whose planned zeros are watched."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.report import images, summaries
from tf1pruning.surgery.failure import FailureReport


def summary(
    failures: FailureReport,
    norms: Mapping[str, np.ndarray],
    planned: Mapping[str, np.ndarray],
    history: images.NormHistory,
) -> tf.Summary:
    """Failure rate and filter norms at one step, and pictures of all norms so far.

    Args:
      failures: planned zeros that are not zero.
      norms: group -> `[filters]` L2 norms.
      planned: group -> `[filters]` whether a filter is planned to be zero.
      history: of the norms; a row of a picture is a filter, a column a measurement.
    """
    result = tf.Summary()
    result.value.add(tag='pruning/failure_rate', simple_value=failures.total.rate)
    for name, values in norms.items():
        for what, chosen in (('planned', planned[name]), ('kept', ~planned[name])):
            norm = float(np.linalg.norm(values[chosen]))
            result.value.add(tag=f'pruning/norm_{what}/{name}', simple_value=norm)
        result.value.add(
            tag=f'pruning/filter_norm/{name}', histo=summaries.histogram(values)
        )
    for name, pixels in history.pictures().items():
        result.value.add(tag=f'pruning/filters/{name}', image=images.image(pixels))
    return result
