"""Finds the flags that decide conditionals, and their values in inference.

A flag is a boolean that nothing computes: a placeholder, with or without a default, or
a variable; the comparison of a placeholder with a constant (`mode == 'train'`); or what
a logical op makes of two flags, where neither of them decides alone.

A *training flag* chooses between what only a training does (batch norm in training
mode, batch statistics that are averaged, random ops) and something else. In inference
it has the value that leaves out more of it: some flags are called `is_inference`.

Another flag means something that only the user knows. A placeholder with a constant
default has that value. Any other stays what it is, a variable or an input of the model,
and so do its conditionals.
"""

from __future__ import annotations

from typing import (
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import tensorflow.compat.v1 as tf

from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference.branches import (
    LOGICAL_OPS,
    MERGE_OPS,
    OF_TWO,
    SAME_OPS,
    SWITCH_OPS,
    Resolver,
)
from tf1pruning.graph.inference_graph import Flag
from tf1pruning.graph.nodes import INPUT_OPS
from tf1pruning.names import TensorRef, op_types

_FLAG_OPS = ('Placeholder', 'PlaceholderWithDefault', 'VariableV2', 'VarHandleOp')
_PREDICATES = (*SAME_OPS, *LOGICAL_OPS, *SWITCH_OPS)
_COMPARISONS = ('Equal', 'NotEqual')
# From a random op or a batch statistic to the conditional that it enters from outside.
_ENTRANCE = op_types(
    'Add AddV2 Cast Div Floor GreaterEqual Identity Mul RealDiv Reshape Squeeze '
    'StopGradient Sub'
).union(SWITCH_OPS)

IsTrainingOnly = Callable[[view_lib.GraphView, tf.NodeDef], bool]


def decide(
    view: view_lib.GraphView, outputs: Sequence[str], is_training_only: IsTrainingOnly
) -> Tuple[Flag, ...]:
    """The flags that have a value in inference.

    Args:
      view: of the graph.
      outputs: names of the nodes that matter.
      is_training_only: whether a node has no place in inference.
    """

    def wanted(known: Dict[str, bool]) -> List[str]:
        needed = Resolver(view, known).needed(outputs)
        return sorted(n for n in needed if is_training_only(view, view.node(n)))

    known: Dict[str, bool] = {}
    names = _flags(view)
    found = []
    while True:
        named = _training_flag(view, wanted, names, known)
        if named is None:
            break
        known[named.name] = named.value
        found.append(named)
    for name in names:
        default = _default(view, name) if name not in known else None
        if default is not None:
            found.append(Flag(name, default, is_training=False))
    return tuple(found)


def that_matter(
    view: view_lib.GraphView, outputs: Sequence[str], flags: Sequence[Flag]
) -> Tuple[Flag, ...]:
    """The flags without which outputs would need other nodes."""
    known = {flag.name: flag.value for flag in flags}
    needed = Resolver(view, known).needed(outputs)
    found = []
    for flag in flags:
        others = {name: value for name, value in known.items() if name != flag.name}
        if Resolver(view, others).needed(outputs) != needed:
            found.append(flag)
    return tuple(found)


def _training_flag(
    view: view_lib.GraphView,
    wanted: Callable[[Dict[str, bool]], List[str]],
    names: Sequence[str],
    known: Dict[str, bool],
) -> Optional[Flag]:
    """One more training flag; None if there is none.

    Args:
      view: of the graph.
      wanted: values of flags -> nodes for training alone that the outputs need.
      names: of the flags.
      known: values of the flags that are decided.
    """
    left = wanted(known)
    for through_dead in (False, True) if left else ():
        for name in names:
            if name in known:
                continue
            sides = [Resolver(view, {**known, name: value}) for value in (False, True)]
            if any(
                _leaves_out(view, side, other, left, through_dead)
                for side, other in (sides, sides[::-1])
            ):
                off, on = (wanted({**known, name: v}) for v in (False, True))
                return Flag(name, len(on) < len(off), is_training=True)
    return None


def _leaves_out(
    view: view_lib.GraphView,
    resolver: Resolver,
    other: Resolver,
    wanted: Iterable[str],
    through_dead: bool,
) -> bool:
    """Whether a conditional loses what is for training alone, once a flag decides it.

    The innermost conditional counts, as one around it may mean something else.

    Args:
      view: of the graph.
      resolver: with one value of the flag.
      other: with the other value, which must decide the conditional, too.
      wanted: names of the nodes that are for training alone.
      through_dead: whether the innermost conditional that is left counts.
    """
    outside = [name for name in wanted if resolver.is_alive(TensorRef(name, 0))]
    inside = [name for name in wanted if name not in outside]
    dead = resolver if through_dead else None
    reached = _sides(view, inside, None, dead) | _sides(view, outside, _ENTRANCE, dead)
    for merge, side in reached:
        sides = view_lib.data_inputs(view.node(merge))
        if (
            resolver.decides(sides)
            and other.decides(sides)
            and not resolver.is_alive(side)
        ):
            (left,) = [each for each in sides if resolver.is_alive(each)]
            if (merge, left) not in reached:
                return True
    return False


def _sides(
    view: view_lib.GraphView,
    starts: Iterable[str],
    path: Optional[FrozenSet[str]],
    dead: Optional[Resolver],
) -> Set[Tuple[str, TensorRef]]:
    """The first Merge nodes behind some nodes, each with the tensor that enters it.

    Args:
      view: of the graph.
      starts: names of nodes.
      path: types of the ops that lie between; None: any.
      dead: Merge nodes that it knows to be dead do not count; None: all count.
    """

    def ends(edge: view_lib.Edge) -> bool:
        node = TensorRef(edge.node.name, 0)
        return edge.node.op in MERGE_OPS and (dead is None or dead.is_alive(node))

    def passes(edge: view_lib.Edge) -> bool:
        return not ends(edge) and (path is None or edge.node.op in path)

    return {
        (edge.node.name, view.refs(edge.node)[edge.position])
        for edge in view.edges_behind(starts, passes)
        if ends(edge)
    }


def _default(view: view_lib.GraphView, name: str) -> Optional[bool]:
    """The default of a placeholder, if it is a constant."""
    node = view.node(name)
    if node.op != 'PlaceholderWithDefault':
        return None
    return Resolver(view, {}).value(view_lib.data_inputs(node)[0])


def _flags(view: view_lib.GraphView) -> List[str]:
    """Flags that decide a Switch, in graph order."""
    switches = [node for node in view if node.op in SWITCH_OPS]

    def is_flag(node: tf.NodeDef) -> bool:
        may_be = node.op in _FLAG_OPS and _is_boolean(node)
        return may_be or _compares_mode(view, node)

    def passes(node: tf.NodeDef) -> bool:
        return node.op in _PREDICATES and not is_flag(node)

    conditions = [view.refs(node)[1].node for node in switches]
    sources = list(view.before(conditions, passes))
    found = [node.name for node in sources if is_flag(node)]
    return [*found, *(node.name for node in sources if node.op in OF_TWO)]


def _compares_mode(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    """Whether a node compares a placeholder with a constant: `mode == 'train'`."""
    if node.op not in _COMPARISONS or view.shape(TensorRef(node.name, 0)) != ():
        return False
    ops = [source.op for source in view.inputs(node)]
    return 'Const' in ops and any(op in INPUT_OPS for op in ops)


def _is_boolean(node: tf.NodeDef) -> bool:
    return view_lib.attribute(node, 'dtype').type == tf.bool.as_datatype_enum
