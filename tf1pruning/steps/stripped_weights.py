"""The weights of a stripped network, and the same network with other weights.

These are put back into the network from before stripping, with zeros at the channels
that are gone, and that is stripped again: so it is verified like any stripped network.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, Collection, List, Mapping, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.errors import VerificationError
from tf1pruning.models.model import Model
from tf1pruning.models.new_weights import with_new_weights
from tf1pruning.plan import Plan
from tf1pruning.steps import soft_pruning, stripping
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.surgery import put_back, weights

# Share by which a weight is changed to see whether it comes back.
_PROBE = 0.01
# Share of the largest weight by which one may change on its way back.
_ROUNDING = 1e-6


def weight_names(stripped: StrippedModel) -> List[str]:
    """Names of the variables and constants that are the weights of the network."""
    network, trace = stripped.stripped, stripped.original.trace
    left = {node.name for node in network.graph.graph_def.node}
    constants = left.intersection(trace.stored) - set(network.arrays)
    return [*network.arrays, *sorted(constants.difference(network.fixed))]


def element_type(stripped: StrippedModel, name: str) -> tf.DType:
    """Element type of a weight of the network."""
    network = stripped.stripped
    own = {variable.node: variable.dtype for variable in network.graph.variables}
    if name in own:
        return own[name]
    return tf.as_dtype(network.graph.view().node(name).attr['dtype'].type)


def weight(stripped: StrippedModel, name: str) -> np.ndarray:
    """The array of a weight of the network."""
    network = stripped.stripped
    return weights.array_of(network.graph.view(), name, network.arrays)


def with_weights(
    stripped: StrippedModel,
    trained: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
) -> StrippedModel:
    """The network with other values of some weights.

    Args:
      stripped: the network; not changed.
      trained: weight -> array of the stripped shape.
      inputs: input -> `[samples, ...]` to verify the result on.

    Raises:
      VerificationError: if it differs from what it is stripped of, or a weight does not
        come out as it was given.
    """
    done = _strip(stripped, _soft_pruned(stripped, trained), True, inputs)
    old = {name: weight(stripped, name) for name in weight_names(stripped)}
    differing = _differing(done, {**old, **trained})
    if differing:
        raise VerificationError(
            f'The weights {names.quoted(differing)} are not those that were trained. '
            'This is a bug: please report it.'
        )
    return done


def lost(stripped: StrippedModel, trained: Collection[str]) -> List[str]:
    """Weights that would come back otherwise than they were trained.

    That can only be where the network computes something of its weights.
    """
    if not stripped.original.trace.computed:
        return []
    generator = np.random.RandomState(0)
    changed = {}
    for name in trained:
        array = weight(stripped, name)
        factor = 1 + _PROBE * generator.rand(*array.shape)
        changed[name] = (array * factor).astype(array.dtype)
    again = _strip(stripped, _soft_pruned(stripped, changed), verify=False)
    return _differing(again, changed)


def _differing(
    stripped: StrippedModel, expected: Mapping[str, np.ndarray]
) -> List[str]:
    """The weights that are missing or have other values."""
    known = set(weight_names(stripped))
    return [
        name
        for name, array in expected.items()
        if name not in known or not _is_close(weight(stripped, name), array)
    ]


def _is_close(found: np.ndarray, expected: np.ndarray) -> bool:
    if found.shape != expected.shape:
        return False
    limit = _ROUNDING * np.abs(expected).max(initial=0)
    return bool(np.all(np.abs(found - expected) <= limit))


def _soft_pruned(stripped: StrippedModel, trained: Mapping[str, np.ndarray]) -> Model:
    """The model from before stripping that is stripped to these weights.

    Channels that are gone are zero in it at all their places. So nothing of them is
    folded any more, but where zeros cannot be written; that is taken off here.
    """
    folded = {name: weight(stripped, name) for name in stripped.stripped.folded}
    wanted = {**folded, **trained}
    model = _with_weights(stripped, wanted)
    if not folded:
        return model
    again = _strip(stripped, model, verify=False)
    share = {n: weight(again, n) - wanted[n] for n in again.stripped.folded}
    return _with_weights(stripped, {n: a - share.get(n, 0) for n, a in wanted.items()})


def _with_weights(stripped: StrippedModel, small: Mapping[str, np.ndarray]) -> Model:
    """The model from before stripping with these weights, and zeros at the cuts."""
    original, plan = stripped.original, _plan(stripped)
    # Only read, which needs no more than a Mapping.
    own: Any = stripped.arrays
    whole = collections.ChainMap(original.constants(), own)
    filled = put_back.put_back(original.trace, original.groups, plan, small, whole)
    return soft_pruning.with_zeros(with_new_weights(original, filled), plan)


def _plan(stripped: StrippedModel) -> Plan:
    """What was removed, with zeros everywhere."""
    return dataclasses.replace(stripped.plan, mode=plan_lib.BLOCK)


def _strip(
    stripped: StrippedModel,
    model: Model,
    verify: bool,
    inputs: Optional[Mapping[str, np.ndarray]] = None,
) -> StrippedModel:
    """Strips a model like another one of its kind."""
    again = stripping.strip_model(
        model, _plan(stripped), verify=verify, limits=stripped.limits, samples=inputs
    )
    network = dataclasses.replace(again.stripped, kept=stripped.stripped.kept)
    return dataclasses.replace(
        again,
        stripped=network,
        planned=stripped.planned,
        before=stripped.before,
        after=stripped.after,
    )
