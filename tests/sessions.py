"""Sessions that do not optimize a graph: that takes longer than the runs of a test.

Real programs do: those of the README and of `docs/training.md`.
"""

from __future__ import annotations

import tensorflow.compat.v1 as tf


def unoptimized():
    """A configuration for what does not take the default one, such as Estimators."""
    config = tf.ConfigProto(allow_soft_placement=True)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    return config


def optimize_none():
    """Lets the sessions of this process that have no configuration optimize nothing."""
    tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})
