"""What an op demands of its nodes: attributes, and number and types of inputs."""

from __future__ import annotations

from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import (
    attr_value_pb2,
    op_def_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)

from tf1pruning.graph import op_defs
from tf1pruning.shapes import element_count

# Type of a tensor of which nothing is known.
ANY = 0
# A reference to a type has the number of the type and this.
_REFERENCE = 100
# Of an axis. The labels of its channels would take a gigabyte.
_MAX_SIZE = 1 << 27
# What an attribute may say of the number of inputs or outputs; each takes memory.
_MOST_TENSORS = 1 << 16
# Bytes of a constant of which the file holds only the first values.
_MAX_FILLED = 1 << 30
_FIELDS = {
    'string': 's',
    'bytes': 's',
    'int': 'i',
    'float': 'f',
    'bool': 'b',
    'type': 'type',
    'shape': 'shape',
    'tensor': 'tensor',
    'func': 'func',
}
_TYPES = frozenset(t for t in types_pb2.DataType.values() if 0 < t < _REFERENCE)
# Strings that hold serialized protos.
_BINARY = ('config', 'config_proto', 'descriptor_source', 'dimension_numbers')
# Attributes whose values can be wrong although they have the right field.
_LIMITED = ('string', 'int', 'type', 'shape', 'tensor', 'func')
# Kinds whose values are looked at again: one may be large, and whether the other is
# right depends on the graph.
_NOT_SAVED = ('tensor', 'func')


class _Attribute(NamedTuple):
    """What an op demands of an attribute.

    Attributes:
      field: of the proto that holds it.
      kind: of its value, or of the values of its list.
      allowed: the values; empty if any will do.
      minimum: of the value, or of the length of its list.
      is_required: whether it has no default.
      maximum: of the value.
    """

    field: str
    kind: str
    allowed: Tuple[object, ...]
    minimum: Optional[int]
    is_required: bool
    maximum: Optional[int] = None

    def problem(
        self, value: attr_value_pb2.AttrValue, functions: Collection[str]
    ) -> str:
        """What is wrong with a value; '' if nothing is."""
        if value.WhichOneof('value') != self.field:
            return f'is no {self.kind}'
        if self.field != 'list':
            if self.minimum is not None and value.i < self.minimum:
                return f'is {value.i}, below {self.minimum}'
            if self.maximum is not None and value.i > self.maximum:
                return f'is {value.i}, above {self.maximum}'
            if self.kind not in _LIMITED:
                return ''
            return self._value_problem(getattr(value, self.field), functions)
        given = value.list.ListFields()
        if any(field.name != _FIELDS[self.kind] for field, _ in given):
            return f'is no list of {self.kind} values'
        values = given[0][1] if given else ()
        if self.minimum is not None and len(values) < self.minimum:
            return f'has {len(values)} values, fewer than {self.minimum}'
        found = (self._value_problem(each, functions) for each in values)
        return next((problem for problem in found if problem), '')

    def _value_problem(self, value: Any, functions: Collection[str]) -> str:
        if self.allowed and value not in self.allowed:
            return f'has the value {_shown(value)}'
        if self.kind == 'type' and value not in _TYPES:
            return f'has the value {_shown(value)}, which is no type'
        if isinstance(value, bytes):
            try:
                value.decode()
            except UnicodeDecodeError:
                return 'is no text in UTF-8'
        elif self.kind == 'shape':
            return _shape_problem(value)
        elif self.kind == 'func' and value.name not in functions:
            return f'names the function {value.name!r}, which is not in the graph'
        return ''


class _Argument(NamedTuple):
    """What an op says of an argument; '' and 0 where it says nothing.

    Attributes:
      type: number of the type.
      type_attr: attribute that gives the type.
      number_attr: attribute that says how many tensors it is.
      type_list_attr: attribute that gives the types of its tensors.
    """

    type: int
    type_attr: str
    number_attr: str
    type_list_attr: str


def _argument(definition: op_def_pb2.OpDef.ArgDef) -> _Argument:
    # Protos are slow to read, and this is read for each node.
    return _Argument(*(getattr(definition, field) for field in _Argument._fields))


def _noted(field: str) -> _Attribute:
    return _Attribute('list', field, (), None, False)


# What TensorFlow writes on nodes of any op.
_NOTES = {'_class': _noted('string'), '_output_shapes': _noted('shape')}


class Signature:
    """The definition of an op or a function, in a form that nodes are compared with.

    Args:
      definition: of the op.
      written: attributes that it has in the TensorFlow that wrote the graph.
    """

    def __init__(self, definition: op_def_pb2.OpDef, written: Collection[str] = ()):
        self._written = written
        self._inputs = tuple(map(_argument, definition.input_arg))
        self._outputs = {each.name: _argument(each) for each in definition.output_arg}
        # Attributes with serialized values that are right: most of them recur.
        self._right: Set[Tuple[str, bytes]] = set()
        counts = {each.number_attr for each in (*self._inputs, *self._outputs.values())}
        own = {a.name: _attribute(a, a.name in counts) for a in definition.attr}
        self._attributes = {**_NOTES, **own}
        self._required = [name for name, each in own.items() if each.is_required]
        self._unsaved = {n for n, each in own.items() if each.kind in _NOT_SAVED}

    def problem(self, node: tf.NodeDef, functions: Collection[str]) -> str:
        """What is wrong with the attributes of a node; '' if nothing is.

        Args:
          node: of this op.
          functions: names of those of the graph, and of all ops.
        """
        attributes = node.attr
        for name in self._required:
            if name not in attributes:
                return f'lacks the attribute {name!r}'
        right, unsaved = self._right, self._unsaved
        for name in attributes:
            is_saved = name not in unsaved
            key = (name, attributes[name].SerializeToString() if is_saved else b'')
            if key in right:
                continue
            problem = self._value_problem(node, name, functions)
            if problem:
                return f'has an attribute {name!r}{problem}'
            if is_saved:
                right.add(key)
        return _constant_problem(node) if node.op == 'Const' else ''

    def _value_problem(
        self, node: tf.NodeDef, name: str, functions: Collection[str]
    ) -> str:
        """The end of a sentence on an attribute; '' if it is right."""
        known = self._attributes.get(name)
        if known is None:
            is_known = name.startswith('_') or name in self._written
            return '' if is_known else f', which {node.op!r} does not have'
        problem = known.problem(node.attr[name], functions)
        return f' that {problem}' if problem else ''

    def input_problem(self, node: tf.NodeDef, found: Sequence[int]) -> str:
        """What is wrong with the types of the data inputs of a node."""
        wanted = _types(self._inputs, node)
        if len(found) != len(wanted):
            return f'has {len(found)} inputs; expected {len(wanted)}'
        for position, (a, b) in enumerate(zip(found, wanted)):
            if a != b and a != ANY and b != ANY:
                return (
                    f'reads {tf.as_dtype(a).name} as input {position}; expected '
                    f'{tf.as_dtype(b).name}'
                )
        return ''

    def outputs(self, node: tf.NodeDef) -> List[int]:
        """The types of the outputs of a node, references as what they refer to."""
        return _types(self._outputs.values(), node)

    def output_count(self, node: tf.NodeDef, argument: str) -> Optional[int]:
        """How many tensors an output argument has; None if there is none."""
        known = self._outputs.get(argument)
        return None if known is None else len(_types([known], node))


def signatures(
    ops: Collection[str], written: Sequence[op_def_pb2.OpDef]
) -> Dict[str, Signature]:
    """Op type -> signature; without the ops that TensorFlow does not know.

    Args:
      ops: types.
      written: definitions of the TensorFlow that wrote the graph.
    """
    theirs = {each.name: {a.name for a in each.attr} for each in written}
    known = op_defs.op_defs(ops)
    return {n: Signature(found, theirs.get(n, ())) for n, found in known.items()}


def _attribute(definition: op_def_pb2.OpDef.AttrDef, counts: bool) -> _Attribute:
    """What an op demands of one attribute, which may count inputs or outputs."""
    is_list = definition.type.startswith('list(')
    kind = definition.type[5:-1] if is_list else definition.type
    kind = 'bytes' if definition.name in _BINARY else kind
    allowed = definition.allowed_values.list
    return _Attribute(
        field='list' if is_list else _FIELDS[kind],
        kind=kind,
        allowed=(*allowed.s, *allowed.type),
        minimum=definition.minimum if definition.has_minimum else None,
        is_required=not definition.HasField('default_value'),
        maximum=_MOST_TENSORS if counts else None,
    )


def _types(arguments: Iterable[_Argument], node: tf.NodeDef) -> List[int]:
    attributes = node.attr
    types: List[int] = []
    for dtype, type_attr, number_attr, type_list_attr in arguments:
        if type_list_attr:
            types += attributes[type_list_attr].list.type
            continue
        if type_attr:
            dtype = attributes[type_attr].type if type_attr in attributes else ANY
        if number_attr:
            types += [dtype] * attributes[number_attr].i
        else:
            types.append(dtype)
    return [t - _REFERENCE if t > _REFERENCE else t for t in types]


def _shape_problem(shape: tensor_shape_pb2.TensorShapeProto) -> str:
    sizes = [dim.size for dim in shape.dim]
    if any(size < -1 for size in sizes):
        return f'is the shape {sizes}'
    if any(size > _MAX_SIZE for size in sizes):
        return f'is the shape {sizes}, with more than {_MAX_SIZE:,} channels on an axis'
    return ''


def _constant_problem(node: tf.NodeDef) -> str:
    """What is wrong with the value of a constant."""
    tensor = node.attr['value'].tensor
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    noted = (
        node.attr['_output_shapes'].list.shape if '_output_shapes' in node.attr else ()
    )
    if noted and _differs(noted[0], sizes):
        return 'has a value of another shape than its file says'
    if tensor.dtype != node.attr['dtype'].type:
        return 'has a value of another type'
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in sizes):
        return f'has a value of the shape {sizes}'
    if tensor.dtype == types_pb2.DT_STRING:
        held = len(tensor.string_val)
        return _length_problem(sizes, held) if not tensor.tensor_content else ''
    width = tf.as_dtype(tensor.dtype).size
    held = len(tensor.tensor_content)
    if held:
        whole = element_count(sizes) * width
        return '' if whole == held else f'has {held} bytes; expected {whole}'
    return _length_problem(sizes, _value_count(tensor), width)


def _differs(shape: tensor_shape_pb2.TensorShapeProto, sizes: Sequence[int]) -> bool:
    """Whether a shape, as far as it is known, is another one."""
    known = [dim.size for dim in shape.dim]
    if shape.unknown_rank or len(known) != len(sizes):
        return not shape.unknown_rank
    return any(a not in (-1, b) for a, b in zip(known, sizes))


def _value_count(tensor: tensor_pb2.TensorProto) -> int:
    """How many values a proto lists."""
    for field, values in tensor.ListFields():
        if field.name.endswith('_val'):
            pairs = field.name in ('scomplex_val', 'dcomplex_val')
            return len(values) // 2 if pairs else len(values)
    return 0


def _length_problem(sizes: Sequence[int], held: int, width: int = 8) -> str:
    wanted = element_count(sizes)
    if held > wanted:
        return f'has {held} values; expected {wanted}'
    if wanted * width > max(_MAX_FILLED, held * width):
        return f'is too large: {wanted} values, of which the file has {held}'
    return ''


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f'{text[:40]}...'
