"""Random values for the variables of a network that nobody trained.

A default-initialized batch norm maps 0 to 0 and hides what surgery forgets, so gamma,
beta, moving mean, moving variance and biases are random too. Kernels have the scale
that keeps a signal alive through many layers.
"""

from __future__ import annotations

from typing import Dict

import numpy as np

from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.variables import Variable


def random_arrays(model: InferenceGraph, seed: int = 0) -> Dict[str, np.ndarray]:
    """Checkpoint key -> array, the same for every order of the variables."""
    return {v.key: _random_array(v, seed) for v in model.variables}


def _random_array(variable: Variable, seed: int) -> np.ndarray:
    name, shape = variable.key, variable.full_shape
    generator = np.random.RandomState([seed, *name.encode('utf-8')])
    if 'variance' in name:
        value = generator.uniform(0.5, 1.5, shape)
    elif 'gamma' in name:
        value = generator.normal(1.0, 0.3, shape)
    elif len(shape) < 2:
        # More above zero than below, so that deep networks of ReLUs stay alive.
        value = generator.normal(0.1, 0.2, shape)
    else:
        axes = shape[:2] if 'depthwise' in name else shape[:-1]
        value = generator.normal(0.0, np.sqrt(1.5 / np.prod(axes)), shape)
    return value.astype(variable.dtype.as_numpy_dtype)
