"""The variables of the graph that is being trained, by their names in a checkpoint.

Nothing is read by a variable's type: ref and resource variables, and the parts of
partitioned ones, are all `Part`s.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Dict, Iterable, Iterator, List, Mapping, Tuple, Union

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import variable_pb2

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.ckpt import slots
from tf1pruning.errors import PlanError
from tf1pruning.graph import walk
from tf1pruning.graph.inference.optimizers import DIVISORS
from tf1pruning.names import op_types
from tf1pruning.plan import Plan

Shape = Tuple[int, ...]
# (checkpoint key, axis)
Axis = Tuple[str, int]
# (node, output, whether it lies in a loop)
_Handle = Tuple[tf.Operation, int, bool]

# Ops that take a resource variable and do not write it.
_READS = op_types(
    'ReadVariableOp ResourceGather ResourceGatherNd VarIsInitializedOp VariableShape'
)
# Ops that hand a variable on.
_PASSES = op_types('Enter Identity RefEnter RefIdentity RefMerge RefSwitch Switch')
_LOOP_ENTRIES = ('Enter', 'RefEnter')


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """A variable of the graph: a whole one, or a part of a partitioned one.

    Attributes:
      variable: the variable.
      key: name in the checkpoint, of the whole variable.
      offset: where it starts in the whole variable.
      shape: its own shape.
      full_shape: shape of the whole variable.
      ops: the nodes that hold it: several, if a strategy mirrors it on devices.
    """

    variable: tf.Variable
    key: str
    offset: Shape
    shape: Shape
    full_shape: Shape
    ops: Tuple[tf.Operation, ...]


# Checkpoint key -> the parts of the variable.
Parts = Mapping[str, Tuple[Part, ...]]


@dataclasses.dataclass(frozen=True, eq=False)
class Writer:
    """An op that changes a variable.

    Attributes:
      op: the op.
      in_loop: whether it lies in a while loop, where nothing outside can wait for it.
    """

    op: tf.Operation
    in_loop: bool


def part_of(variable: tf.Variable) -> Part:
    """What a variable is in a checkpoint."""
    shape = tuple(variable.shape.as_list())
    # In a replica of a strategy the name of `op` is that of the replica's copy.
    key, offset = names.node_name(variable.name), (0,) * len(shape)
    full_shape = shape
    info = _slice_info(variable)
    if info.full_name:
        key, offset = info.full_name, tuple(info.var_offset)
        full_shape = tuple(info.full_shape)
    return Part(variable, key, offset, shape, full_shape, tuple(_ops(variable)))


def _slice_info(variable: tf.Variable) -> variable_pb2.SaveSliceInfoDef:
    try:
        return variable.to_proto().save_slice_info_def
    except NotImplementedError:
        # Those of a CentralStorageStrategy have no proto, and no parts.
        return variable_pb2.SaveSliceInfoDef()


def _ops(variable: tf.Variable) -> Iterator[tf.Operation]:
    """The node of a variable, and those of its copies on other devices."""
    # The `op` of a mirrored variable is no tf.Operation, but has its graph.
    graph, name = variable.op.graph, names.node_name(variable.name)
    yield graph.get_operation_by_name(name)
    for number in itertools.count(1):
        try:
            # So a MirroredStrategy names them.
            yield graph.get_operation_by_name(f'{name}/replica_{number}')
        except KeyError:
            return


def read(part: Part) -> tf.Tensor:
    """The value of a part; all copies of a mirrored variable have the same."""
    handle = part.ops[0].outputs[0]
    if handle.dtype == tf.resource:
        dtype = part.variable.dtype.base_dtype
        return tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
    return tf.identity(handle)


def write(holder: tf.Operation, value: tf.Tensor) -> tf.Operation:
    """Op that sets the variable that a node holds."""
    handle = holder.outputs[0]
    if handle.dtype == tf.resource:
        return tf.raw_ops.AssignVariableOp(resource=handle, value=value)
    return tf.raw_ops.Assign(ref=handle, value=value).op


def by_key(variables: Iterable[tf.Variable]) -> Dict[str, Tuple[Part, ...]]:
    """Checkpoint key -> its parts; variables whose shape is not static are left out."""
    found: Dict[str, List[Part]] = {}
    for variable in variables:
        if variable.shape.is_fully_defined():
            part = part_of(variable)
            found.setdefault(part.key, []).append(part)
    return {key: tuple(parts) for key, parts in found.items()}


def shapes_of(parts: Parts) -> Dict[str, Shape]:
    """Checkpoint key -> shape of the whole variable."""
    return {key: found[0].full_shape for key, found in parts.items()}


def find_slots(parts: Parts, plan: Plan) -> Dict[str, str]:
    """Slot -> weight, for the slots that are zeroed with what a plan zeroes."""
    zeroed = {cut.variable for cut in plan.zeroed_cuts}
    trainable = set(by_key(tf.trainable_variables()))
    found = slots.zeroed_slots(shapes_of(parts), zeroed | trainable)
    return {
        slot: owner
        for slot, owner in found.items()
        if owner in zeroed and not any(_is_divisor(part) for part in parts[slot])
    }


def _is_divisor(slot: Part) -> bool:
    """Whether an optimizer divides by it."""
    writers = find_writers(slot.ops[0], slot.variable.initializer)
    return any(
        _holder(writer.op.inputs[DIVISORS[writer.op.type]]) is slot.ops[0]
        for writer in writers
        if writer.op.type in DIVISORS
    )


def _holder(handle: tf.Tensor) -> tf.Operation:
    """The node of the variable that a handle leads to."""
    op = handle.op
    while op.type in _PASSES:
        op = op.inputs[0].op
    return op


def check_fits(plan: Plan, shapes: Mapping[str, Shape]) -> None:
    """Checks that a plan was made for the graph that is about to train.

    Args:
      plan: the plan.
      shapes: of the graph's variables, by checkpoint key.

    Raises:
      PlanError: names every variable that the graph lacks, or that has another size
        than the plan expects.
    """
    # A statistic is never written, and may be a constant of the graph.
    missing = sorted({cut.variable for cut in plan.zeroed_cuts} - set(shapes))
    if missing:
        raise PlanError(
            f'The plan is for another graph: this one lacks the variables '
            f'{names.quoted(missing)}. {names.did_you_mean(missing[0], shapes)} Build '
            'the hook from the plan of the network that is trained.'
        )
    problems = plan_lib.misfits(plan.cuts, shapes)
    if problems:
        raise PlanError(
            f'The plan is for another graph: {"; ".join(problems[:10])}. Is this '
            'network stripped, or the plan that of a later round?'
        )


def find_writers(
    variable: tf.Operation, initializer: Union[tf.Operation, tf.Tensor]
) -> List[Writer]:
    """The ops that change a variable, but for its initializer and restore ops.

    Args:
      variable: node that holds it.
      initializer: of the variable.
    """
    # After `tf.train.init_from_checkpoint` it is the tensor of an Assign.
    setter = initializer.op if isinstance(initializer, tf.Tensor) else initializer
    first = {setter, *setter.control_inputs}
    found: Dict[tf.Operation, bool] = {}
    for holder, number, in_loop in walk.reached([(variable, 0, False)], _handed_on):
        handle = holder.outputs[number]
        for op in handle.consumers():
            changes = op.type not in _PASSES and _writes(op, handle)
            if changes and op not in first and not _restores(op):
                found[op] = in_loop or found.get(op, False)
    return [Writer(op, in_loop) for op, in_loop in found.items()]


def _handed_on(handle: _Handle) -> List[_Handle]:
    """The handles that ops make of one."""
    holder, number, in_loop = handle
    return [
        (op, output.value_index, in_loop or op.type in _LOOP_ENTRIES)
        for op in holder.outputs[number].consumers()
        if op.type in _PASSES
        for output in op.outputs
        if _is_handle(output)
    ]


def _is_handle(tensor: tf.Tensor) -> bool:
    """Whether a tensor is a variable, not its value."""
    return tensor.dtype == tf.resource or tensor.dtype != tensor.dtype.base_dtype


def _writes(op: tf.Operation, tensor: tf.Tensor) -> bool:
    if tensor.dtype == tf.resource:
        return op.type not in _READS
    return any(argument.is_ref for argument in op.op_def.input_arg)


def _restores(op: tf.Operation) -> bool:
    sources = [value.op for value in op.inputs[1:]]
    sources += [value.op for source in sources for value in source.inputs]
    return any(source.type == 'RestoreV2' for source in sources)
