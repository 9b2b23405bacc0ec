"""The criterion that asks what least squares cannot make up for."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from tf1pruning.algebra import elimination
from tf1pruning.algebra.elimination import Reader
from tf1pruning.criteria import registry
from tf1pruning.criteria.registry import READERS


@registry.register_data('reconstruction', READERS, derivative='')
def reconstruction(readers: Sequence[Reader]) -> np.ndarray:
    """What is lost of the outputs of the layers behind, after least squares.

    Channels go one by one, the cheapest first, as in optimal brain surgery (Hassibi and
    Stork, 1993; Meng et al., arXiv 2403.12983). With S(c) the channel c and those that
    go before it:

        I(c) = sum over readers of (error without S(c), repaired) / (their variance)
    """
    order, losses = elimination.eliminate(readers)
    lost: np.ndarray = losses[np.argsort(order)]
    return lost
