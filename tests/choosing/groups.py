"""Groups with scores that need no network."""

from __future__ import annotations

import numpy as np

from tf1pruning.channels.groups import Group, Place
from tf1pruning.choosing.scores import Scored


def a_group(name, width):
    positions = np.arange(width)[:, np.newaxis]
    place = Place(f'{name}/w', 3, width, 'producer', positions)
    return Group(name, 'plain', np.arange(width) + 1, (place,), (name,))


def scored(name, scores, magnitudes=None):
    scores = np.asarray(scores, np.float64)
    sizes = np.ones(len(scores)) if magnitudes is None else np.asarray(magnitudes)
    return Scored(a_group(name, len(scores)), scores, sizes)


def scorer(*known):
    """A scorer of the given groups."""
    by_name = {each.group.name: each for each in known}
    return lambda group, kept: by_name[group.name]


def removed(plans):
    return {plan.name: plan.removed for plan in plans}
