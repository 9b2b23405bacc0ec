"""Stripping: removes channels from graph and arrays without changing the outputs.

`choice` says which channels go. Only lossy ones change the outputs, on demand.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.channels.trace_result import IndexUse, Trace
from tf1pruning.ckpt.arrays import Arrays, Chosen
from tf1pruning.graph import nodes, rewrite
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.names import TensorRef
from tf1pruning.plan import Plan
from tf1pruning.surgery import choice as choice_lib
from tf1pruning.surgery import computed, fold, weights
from tf1pruning.surgery.choice import Removal, RemovalOptions, Verdict
from tf1pruning.surgery.safety import Safety

EXACT = RemovalOptions()


@dataclasses.dataclass(frozen=True, eq=False)
class Stripped:
    """A network without its redundant channels.

    Attributes:
      graph: with the new sizes; node names as before, plus constants of sizes.
      arrays: variable node -> array of the new size.
      plan: what was really removed.
      kept: channels that should go and stay.
      lossy: channels that went although that changes the outputs.
      resizing: the new sizes, to apply to other graphs of the network.
      folded: nodes of the biases and moving means that took up a constant. That is
        exact in inference; with batch norm in training mode it is not.
      fixed: nodes that computed a weight from variables, in a way that its removed
        channels changed, and are constants now.
      weight_shapes: every weight of the trace -> its shape now.
    """

    graph: InferenceGraph
    arrays: Arrays = dataclasses.field(repr=False)
    plan: Plan
    kept: Tuple[Verdict, ...]
    lossy: Tuple[Verdict, ...]
    resizing: rewrite.Resizing = dataclasses.field(repr=False)
    folded: Tuple[str, ...]
    fixed: Tuple[str, ...]
    weight_shapes: Mapping[str, Tuple[int, ...]] = dataclasses.field(repr=False)


def strip(
    trace: Trace,
    groups: Sequence[Group],
    arrays: Arrays,
    plan: Optional[Plan] = None,
    options: RemovalOptions = EXACT,
) -> Stripped:
    """Removes channels.

    Args:
      trace: of the model.
      groups: of the trace.
      arrays: variable node -> array; not changed.
      plan: what to remove; None: every channel that is provably redundant.
      options: what may go.

    Raises:
      PlanError: if the plan was made for another model.
      OptionError: if lossy removal is allowed and no plan says of what.
    """
    removal = choice_lib.choose(trace, groups, arrays, plan, options)
    return remove(trace, arrays, removal, plan, options)


def remove(
    trace: Trace,
    arrays: Arrays,
    removal: Removal,
    plan: Optional[Plan],
    options: RemovalOptions,
) -> Stripped:
    """Removes the chosen channels.

    Args:
      trace: of the model.
      arrays: variable node -> array; not changed.
      removal: what goes.
      plan: where that comes from; None: every redundant channel.
      options: of the removal.
    """
    resizing, smaller = _remove(trace, arrays, removal)
    model = rewrite.resize(trace.model, resizing)
    fixed = computed.not_reproduced(trace, model, resizing, smaller)
    if fixed:
        constants = {**resizing.constants, **{name: smaller[name] for name in fixed}}
        resizing = dataclasses.replace(resizing, constants=constants)
        model = rewrite.resize(trace.model, resizing)
    done = Plan(
        fingerprint=plan_lib.fingerprint([g for g, _ in removal.removed], trace.model),
        mode=plan.mode if plan else plan_lib.BLOCK,
        channel_multiple=plan.channel_multiple if plan else options.multiple,
        threshold=plan.threshold if plan else None,
        groups=tuple(
            plan_lib.plan_group(group, channels, removal.wanted[group.name])
            for group, channels in removal.removed
        ),
    )
    # What a model takes and gives keeps its shape.
    ends = set(model.inputs + model.outputs) - resizing.nodes
    refs = [TensorRef(name, 0) for name in ends]
    shapes = {ref: trace.model.view().shape(ref) for ref in refs}
    return Stripped(
        graph=dataclasses.replace(model, shapes=shapes),
        arrays=Chosen(smaller, [variable.node for variable in model.variables]),
        plan=done,
        kept=removal.kept,
        lossy=removal.lossy,
        resizing=resizing,
        folded=smaller.folded,
        fixed=fixed,
        weight_shapes=smaller.weight_shapes,
    )


def _remove(
    trace: Trace, arrays: Arrays, removal: Removal
) -> Tuple[rewrite.Resizing, Smaller]:
    """The new sizes, and the new arrays."""
    removed = {
        channel
        for group, indices in removal.removed
        for channel in group.channels[list(indices)].tolist()
    }
    gone = _mask(trace, removed)
    # Channels that are exactly safe fold their true constants, without the tolerance.
    safe = removed - removal.exact.obstacles.keys()
    shares = _shares(removal.exact, _mask(trace, safe))
    shares += _shares(removal.loose, _mask(trace, removed - safe))
    took_up = _folded(trace, arrays, shares)
    smaller = Smaller(trace, arrays, removal.computed, gone, took_up)
    changed = [name for name in smaller.changed if name not in trace.computed]
    constants = [name for name in changed if name not in arrays]
    resizing = rewrite.Resizing(
        shapes={n: smaller.shapes[n] for n in changed if n in arrays},
        constants={name: smaller[name] for name in constants},
        sizes=_new_sizes(trace, gone),
        forgotten={
            stated.node: stated.attribute
            for stated in trace.stated
            if gone[stated.labels].any()
        },
        replaced=[
            _new_indices(trace, use, gone)
            for use in trace.indices
            if gone[use.labels].any()
        ],
    )
    return resizing, smaller


class Smaller(Arrays):
    """Variable node -> array of the new size, made when it is asked for.

    Attributes:
      changed: the weights that change, variables and constants.
      folded: those of them that took up a constant.
      weight_shapes: every weight of the trace -> its new shape.

    Computed weights and constants can be asked for, too; they are not listed.
    """

    def __init__(
        self,
        trace: Trace,
        arrays: Arrays,
        computed: Mapping[str, np.ndarray],
        gone: np.ndarray,
        folded: Mapping[str, np.ndarray],
    ):
        self._view = trace.model.view()
        self._arrays = arrays
        self._given = {**computed, **folded}
        self.folded = tuple(sorted(folded))
        kept = {source: _kept(axes, gone) for source, axes in trace.weights.items()}
        self._kept = {s: found for s, found in kept.items() if found or s in folded}
        self.changed = tuple(self._kept)
        self.dtypes = dict(arrays.dtypes)
        self.weight_shapes = {
            source: tuple(int((~gone[axis]).sum()) for axis in axes)
            for source, axes in trace.weights.items()
        }
        known = self.weight_shapes
        self.shapes = {n: known.get(n, shape) for n, shape in arrays.shapes.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._given.get(name)
        if array is None:
            array = weights.array_of(self._view, name, self._arrays)
        for axis, positions in self._kept.get(name, {}).items():
            # Many times faster than np.delete along a last axis.
            array = array.take(positions, axis)
        return array


def _kept(axes: Sequence[np.ndarray], gone: np.ndarray) -> Dict[int, np.ndarray]:
    """Axis -> positions that stay, for the axes that lose some."""
    lost = {axis: gone[channels] for axis, channels in enumerate(axes)}
    return {axis: np.flatnonzero(~mask) for axis, mask in lost.items() if mask.any()}


def _new_sizes(trace: Trace, gone: np.ndarray) -> List[rewrite.NewSize]:
    """Sizes that change; bounds that count from the end now count from the front."""
    if not gone.any():
        return []
    counted = [(use, int((~gone[use.labels]).sum())) for use in trace.sizes]
    return [
        rewrite.NewSize(use.consumer, use.position, use.node, use.element, kept)
        for use, kept in counted
        if kept != use.value
    ]


def _new_indices(trace: Trace, use: IndexUse, gone: np.ndarray) -> rewrite.NewConstant:
    """Indices counted among the channels that stay."""
    stays = ~gone[use.labels]
    old = nodes.constant_value(trace.model.view().node(use.node))
    new = (np.cumsum(stays) - 1)[old[stays[old]]]
    return rewrite.NewConstant(use.consumer, use.position, new.astype(old.dtype))


def _mask(trace: Trace, removed: Set[int]) -> np.ndarray:
    """`[channels]` whether a channel goes."""
    mask = np.zeros(trace.count, bool)
    mask[sorted(removed)] = True
    return mask


def _shares(
    safety: Safety, gone: np.ndarray
) -> List[Tuple[fold.FoldTarget, np.ndarray]]:
    """Vectors that take up constants, and what removed channels add to them."""
    shares = [(f.target, f.shares[gone[f.channels]].sum(axis=0)) for f in safety.folds]
    return [(target, share) for target, share in shares if share.any()]


def _folded(
    trace: Trace,
    arrays: Arrays,
    shares: Sequence[Tuple[fold.FoldTarget, np.ndarray]],
) -> Dict[str, np.ndarray]:
    """Biases and moving means with the constant shares of the removed channels."""
    view = trace.model.view()
    folded: Dict[str, np.ndarray] = {}
    for target, share in shares:
        old = folded.get(target.source)
        if old is None:
            old = weights.array_of(view, target.source, arrays)
        folded[target.source] = target.added(old, share)
    return folded
