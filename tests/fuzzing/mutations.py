"""Random changes of protos, small enough that much of the graph stays as it was."""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf

_NUMBERS = (-(1 << 40), -2, -1, 0, 1, 3, 77, 1 << 20, 1 << 40)
_TEXTS = (b'', b'SAME', b'NCHW', b'\xff\xfe', b'x' * 300)


def mutate(meta_graph: tf.MetaGraphDef, seed: int) -> None:
    """Changes a meta graph in place, once to three times."""
    generator = np.random.RandomState(seed)
    for _ in range(generator.randint(1, 4)):
        change = _CHANGES[generator.randint(len(_CHANGES))]
        nodes = _nodes(meta_graph.graph_def, generator)
        change(meta_graph.graph_def, nodes, generator)


def _nodes(graph_def, generator):
    """The nodes of the graph or, now and then, of one of its functions."""
    library = graph_def.library.function
    if library and generator.randint(3) == 0:
        return library[generator.randint(len(library))].node_def
    return graph_def.node


def _any(items, generator):
    return items[generator.randint(len(items))]


def _drop_input(graph_def, nodes, generator):
    node = _any(nodes, generator)
    if node.input:
        del node.input[generator.randint(len(node.input))]


def _add_input(graph_def, nodes, generator):
    other = _any(nodes, generator).name
    names = (other, f'^{other}', f'{other}:1', f'{other}:x', 'gone', '', '^', ':0')
    node = _any(nodes, generator)
    node.input.insert(generator.randint(len(node.input) + 1), _any(names, generator))


def _rewire(graph_def, nodes, generator):
    node = _any(nodes, generator)
    if node.input:
        position = generator.randint(len(node.input))
        node.input[position] = _any(nodes, generator).name


def _drop_node(graph_def, nodes, generator):
    del nodes[generator.randint(len(nodes))]


def _repeat_node(graph_def, nodes, generator):
    nodes.add().CopyFrom(_any(nodes, generator))


def _rename(graph_def, nodes, generator):
    name = _any(('', ' ', '_x', 'a:b', '^a', 'output', 'input/x'), generator)
    _any(nodes, generator).name = name


def _change_op(graph_def, nodes, generator):
    ops = ('Relu', 'Add', 'Conv2D', 'Const', 'NoSuchOp', '', 'Merge', 'NoOp', 'Split')
    _any(nodes, generator).op = _any((*ops, _any(nodes, generator).op), generator)


def _drop_attribute(graph_def, nodes, generator):
    node = _any(nodes, generator)
    if node.attr:
        del node.attr[_any(sorted(node.attr), generator)]


def _change_attribute(graph_def, nodes, generator):
    node = _any(nodes, generator)
    if not node.attr:
        return
    value = node.attr[_any(sorted(node.attr), generator)]
    kind = _any(('i', 'f', 'b', 's', 'type', 'shape', 'list', 'func'), generator)
    kind = value.WhichOneof('value') if generator.randint(2) else kind
    if kind == 'i':
        value.i = _any(_NUMBERS, generator)
    elif kind == 'f':
        value.f = float('nan')
    elif kind == 'b':
        value.b = not value.b
    elif kind == 's':
        value.s = _any(_TEXTS, generator)
    elif kind == 'type':
        value.type = _any((0, 1, 3, 7, 14, 20, 77, 101), generator)
    elif kind == 'shape':
        value.shape.dim.add(size=_any(_NUMBERS, generator))
    elif kind == 'func':
        value.func.name = 'gone'
    elif kind == 'tensor':
        _change_tensor(value.tensor, generator)
    elif value.list.i:
        value.list.i[generator.randint(len(value.list.i))] = _any(_NUMBERS, generator)
    else:
        value.list.i.append(_any(_NUMBERS, generator))


def _change_tensor(tensor, generator):
    kind = generator.randint(4)
    if kind == 0:
        tensor.tensor_shape.dim.add(size=_any(_NUMBERS, generator))
    elif kind == 1:
        tensor.dtype = _any((0, 1, 3, 7, 77), generator)
    elif kind == 2:
        tensor.tensor_content = tensor.tensor_content[:-1]
    elif tensor.tensor_content:
        content = bytearray(tensor.tensor_content)
        content[generator.randint(len(content))] ^= 1 << generator.randint(8)
        tensor.tensor_content = bytes(content)


def _change_constant(graph_def, nodes, generator):
    constants = [node for node in nodes if node.op == 'Const']
    if constants:
        _change_tensor(_any(constants, generator).attr['value'].tensor, generator)


def _change_shapes(graph_def, nodes, generator):
    node = _any(nodes, generator)
    if 'shape' in node.attr:
        shape = node.attr['shape'].shape
        if shape.dim:
            _any(shape.dim, generator).size = _any(_NUMBERS, generator)


def _change_function(graph_def, nodes, generator):
    library = graph_def.library.function
    if not library:
        return
    function = _any(library, generator)
    if generator.randint(2) and function.ret:
        function.ret[_any(sorted(function.ret), generator)] = 'gone:y:0'
    else:
        _any(graph_def.node, generator).op = function.signature.name


_CHANGES = (
    _drop_input,
    _add_input,
    _rewire,
    _drop_node,
    _repeat_node,
    _rename,
    _change_op,
    _drop_attribute,
    _change_attribute,
    _change_attribute,
    _change_attribute,
    _change_constant,
    _change_shapes,
    _change_function,
)
