"""TensorBoard events of a training that a plan is watched in."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.report import summaries
from tf1pruning.surgery.failure import FailureReport


def summary(
    failures: FailureReport,
    norms: Mapping[str, np.ndarray],
    planned: Mapping[str, np.ndarray],
) -> tf.Summary:
    """Failure rate and filter norms at one step.

    Args:
      failures: planned zeros that are not zero.
      norms: group -> `[filters]` L2 norms.
      planned: group -> `[filters]` whether a filter is planned to be zero.
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
    return result
