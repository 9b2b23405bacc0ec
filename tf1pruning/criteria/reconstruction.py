"""The criterion that asks what least squares cannot make up for."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from tf1pruning.algebra import elimination
from tf1pruning.algebra.elimination import Reader
from tf1pruning.criteria import registry
from tf1pruning.criteria.registry import READERS

_GROWTH = 1 + 1e-6


@registry.register_data('reconstruction', READERS, derivative='')
def reconstruction(readers: Sequence[Reader]) -> np.ndarray:
    """What more is lost of the layers behind, after least squares, when a channel goes.

    Channels go one by one, the cheapest first, as in optimal brain surgery (Hassibi and
    Stork, 1993; Meng et al., arXiv 2403.12983). With the error of a reader without some
    channels, repaired, over the variance of what it makes, and S those that are gone:

        I(c) = sum over readers of error(S and c) - error(S)

    or what an earlier channel cost, if that is more. So the cheapest of all groups, up
    to a budget, are the ones that together cost least.
    """
    order, losses = elimination.eliminate(readers)
    # A little more each, so that none overtakes one that went before it.
    growth = _GROWTH ** np.arange(len(order))
    rises = np.maximum.accumulate(np.diff(losses, prepend=0) / growth) * growth
    lost: np.ndarray = rises[np.argsort(order)]
    return lost
