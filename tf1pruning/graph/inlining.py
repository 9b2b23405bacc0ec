"""Puts the bodies of functions in the place of their calls.

With `tf.enable_control_flow_v2()`, and in functions, a graph holds calls: an `If` names
one function per branch, a `While` those of its condition and its body, and a
`PartitionedCall` one. Here

- a call becomes the nodes of its function, in the scope of the call;
- an `If` becomes both branches, in the scopes `then` and `else`, with a Switch for each
  argument and a Merge for each result;
- a `While` becomes a loop of Enter, Merge, Switch, NextIteration and Exit, with its
  functions in the scopes `cond` and `body`. What the body hands back as it came enters
  once.

That is how TensorFlow itself runs them. So conditionals and loops have one form,
whatever wrote them.

A node keeps its name: the call itself stays as the node that holds its first result.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import function_pb2, op_def_pb2, tensor_shape_pb2

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import functions as functions_lib
from tf1pruning.graph import op_defs
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.functions import Functions
from tf1pruning.graph.nodes import OUTPUT_SHAPES, copied, with_nodes
from tf1pruning.names import TensorRef

IF_OPS = ('If', 'StatelessIf')
LOOP_OPS = ('While', 'StatelessWhile')
_BOOL = tf.bool.as_datatype_enum
_CALL_OPS = ('PartitionedCall', 'StatefulPartitionedCall')
# Turns of a loop that may run at once, where a node does not say it.
_TURNS = 10


class Inlined(NamedTuple):
    """A graph without calls.

    Attributes:
      graph_def: the graph.
      refused: call that stays -> why.
      results: what a call gives beside its first result -> the tensor it is now.
    """

    graph_def: tf.GraphDef
    refused: Dict[str, str]
    results: Dict[TensorRef, str]

    def renamed(self, name: str) -> str:
        """The present name of a tensor of the graph with calls."""
        ref = names.parse_tensor(name)
        while ref in self.results:
            name = self.results[ref]
            ref = names.parse_tensor(name)
        return name


def inline(graph_def: tf.GraphDef) -> Inlined:
    """Puts the bodies of functions in the place of their calls.

    Args:
      graph_def: the graph; not changed.

    Raises:
      GraphError: if a function holds an op that TensorFlow does not know.
    """
    functions = functions_lib.by_name(graph_def)
    if not any(_is_call(node, functions) for node in graph_def.node):
        return Inlined(graph_def, {}, {})
    inliner = _Inliner(graph_def, functions)
    for node in graph_def.node:
        inliner.add(node, _Place('', '', ()))
    return inliner.result()


def _is_call(node: tf.NodeDef, functions: Functions) -> bool:
    return node.op in (*IF_OPS, *LOOP_OPS, *_CALL_OPS) or node.op in functions


class _Place(NamedTuple):
    """Where nodes go.

    Attributes:
      scope: of their names.
      pivot: lives exactly when they run; empty if they always do.
      inside: names of the functions that they come from, outermost first.
    """

    scope: str
    pivot: str
    inside: Tuple[str, ...]


class _Inliner:
    """Collects nodes, and what became of the results of calls."""

    def __init__(self, graph_def: tf.GraphDef, functions: Functions):
        self._source = graph_def
        self._functions = functions
        self._op_defs = op_defs.op_defs(
            {node.op for f in functions.values() for node in f.node_def}
        )
        self._nodes: List[tf.NodeDef] = []
        self._names = {node.name for node in graph_def.node}
        self._results: Dict[TensorRef, str] = {}
        self._refused: Dict[str, str] = {}

    def add(self, node: tf.NodeDef, place: _Place) -> None:
        """Adds a node whose inputs are names of the result."""
        if not _is_call(node, self._functions):
            self._nodes.append(node)
            return
        branches = _callees(node)
        problem = self._problem(node, branches, place)
        if problem is not None:
            self._refused[node.name] = problem
            self._nodes.append(node)
        elif node.op in IF_OPS:
            self._add_conditional(node, branches, place)
        elif node.op in LOOP_OPS:
            self._add_loop(node, branches, place)
        else:
            args = [ref.as_input for ref in view_lib.data_inputs(node)]
            inner = place._replace(scope=node.name)
            self._end_call(node, self._add_body(branches[0], args, inner))

    def _problem(
        self, node: tf.NodeDef, called: Sequence[str], place: _Place
    ) -> Optional[str]:
        """Why a call cannot be inlined; None if it can."""
        for name in called:
            function = self._functions.get(name)
            if function is None:
                return f'its function {name!r} is not in the graph'
            if name in place.inside:
                return f'its function {name!r} calls itself'
            signature = function.signature
            args = (*signature.input_arg, *signature.output_arg)
            if any(arg.number_attr or arg.type_list_attr for arg in args):
                return f'its function {name!r} has an argument that is a list'
            if any(a.placeholder for n in function.node_def for a in n.attr.values()):
                return f'its function {name!r} has attributes that each call sets'
        if node.op in IF_OPS and not _is_boolean(node):
            return 'its condition is not a boolean'
        if node.op in LOOP_OPS:
            condition, body = (self._functions[name] for name in called)
            if not _changed(body):
                return 'its body changes nothing'
            if [a.type for a in condition.signature.output_arg] != [_BOOL]:
                return 'its condition is not a boolean'
        return None

    def _add_conditional(
        self, node: tf.NodeDef, called: Sequence[str], place: _Place
    ) -> None:
        condition, *args = [ref.as_input for ref in view_lib.data_inputs(node)]
        inputs = [condition, condition]
        switch = self._new(f'{node.name}/switch', 'Switch', inputs, _BOOL)
        switches = [
            self._new(f'{node.name}/arg_{i}', 'Switch', [arg, condition], dtype)
            for i, (arg, dtype) in enumerate(zip(args, node.attr['Tin'].list.type))
        ]
        results = []
        for taken, (label, name) in enumerate(zip(('else', 'then'), called)):
            scope = f'{node.name}/{label}'
            side = TensorRef(switch.name, taken).as_input
            pivot = self._new(f'{scope}/pivot', 'Identity', [side], _BOOL)
            sides = [TensorRef(s.name, taken).as_input for s in switches]
            inner = place._replace(scope=scope, pivot=pivot.name)
            results.append(self._add_body(name, sides, inner))
        self._end_conditional(node, list(zip(*results)))

    def _end_conditional(
        self, node: tf.NodeDef, results: Sequence[Sequence[str]]
    ) -> None:
        """Merges the results of both branches; the node becomes the first Merge."""
        if not results:
            self._nodes.append(tf.NodeDef(name=node.name, op='NoOp'))
        for position, sides in enumerate(results):
            dtype = node.attr['Tout'].list.type[position]
            merge = self._new(f'{node.name}/merge_{position}', 'Merge', sides, dtype)
            merge.attr['N'].i = len(sides)
            if position:
                self._results[TensorRef(node.name, position)] = merge.name
            else:
                merge.name = node.name

    def _add_loop(self, node: tf.NodeDef, called: Sequence[str], place: _Place) -> None:
        """Adds a loop; what its body does not change enters as a constant of it."""
        name, types = node.name, node.attr['T'].list.type
        changed = _changed(self._functions[called[1]])
        args = [ref.as_input for ref in view_lib.data_inputs(node)]
        now = [
            self._enter(node, position, arg, position not in changed)
            for position, arg in enumerate(args)
        ]
        merges = {}
        for i in changed:
            sides = [now[i], now[i]]
            merges[i] = self._new(f'{name}/merge_{i}', 'Merge', sides, types[i])
            merges[i].attr['N'].i = len(sides)
            merges[i].attr[OUTPUT_SHAPES].list.shape.extend(_shapes(node, i))
            now[i] = merges[i].name
        inner = place._replace(scope=f'{name}/cond', pivot=now[changed[0]])
        (goes_on,) = self._add_body(called[0], now, inner)
        loop = self._new(f'{name}/loop_cond', 'LoopCond', [goes_on], _BOOL)
        del loop.attr['T']
        switches = {}
        for i in changed:
            sides = [now[i], loop.name]
            switches[i] = self._new(f'{name}/switch_{i}', 'Switch', sides, types[i])
            now[i] = TensorRef(switches[i].name, 1).as_input
        first = changed[0]
        pivot = self._new(f'{name}/pivot', 'Identity', [now[first]], types[first])
        inner = place._replace(scope=f'{name}/body', pivot=pivot.name)
        results = self._add_body(called[1], now, inner)
        for i in changed:
            turn = f'{name}/next_{i}'
            following = self._new(turn, 'NextIteration', [results[i]], types[i])
            merges[i].input[1] = following.name
        self._end_loop(node, args, switches)

    def _enter(
        self, node: tf.NodeDef, position: int, arg: str, is_constant: bool
    ) -> str:
        dtype = node.attr['T'].list.type[position]
        enter = self._new(f'{node.name}/enter_{position}', 'Enter', [arg], dtype)
        enter.attr['frame_name'].s = node.name.encode('utf-8')
        enter.attr['is_constant'].b = is_constant
        enter.attr['parallel_iterations'].i = (
            node.attr['parallel_iterations'].i or _TURNS
        )
        return enter.name

    def _end_loop(
        self,
        node: tf.NodeDef,
        args: Sequence[str],
        switches: Mapping[int, tf.NodeDef],
    ) -> None:
        """Lets what the loop changes leave it; the node becomes its first result."""
        for position, dtype in enumerate(node.attr['T'].list.type):
            op, source = 'Identity', args[position]
            if position in switches:
                op, source = 'Exit', switches[position].name
            end = self._new(f'{node.name}/exit_{position}', op, [source], dtype)
            if position:
                self._results[TensorRef(node.name, position)] = end.name
            else:
                end.name = node.name

    def _end_call(self, node: tf.NodeDef, results: Sequence[str]) -> None:
        """The node of the call becomes its first result."""
        if not results:
            self._nodes.append(tf.NodeDef(name=node.name, op='NoOp'))
            return
        first = tf.NodeDef(name=node.name, op='Identity', input=results[:1])
        signature = self._functions[_callees(node)[0]].signature
        first.attr['T'].type = signature.output_arg[0].type
        self._nodes.append(first)
        for position, result in enumerate(results[1:], start=1):
            self._results[TensorRef(node.name, position)] = result

    def _add_body(self, name: str, args: Sequence[str], place: _Place) -> List[str]:
        """Adds the nodes of a function; returns the tensors that it returns."""
        function = self._functions[name]
        body = _Body(
            args=dict(zip((a.name for a in function.signature.input_arg), args)),
            nodes={node.name: node for node in function.node_def},
            renamed={
                node.name: names.claim(f'{place.scope}/{node.name}', self._names)
                for node in function.node_def
            },
        )
        inner = place._replace(inside=(*place.inside, name))
        for node in function.node_def:
            copy = copied(node, (self._tensor(i, body) for i in node.input))
            copy.name = body.renamed[node.name]
            # It names nodes of the function.
            copy.attr.pop('_class', None)
            if place.pivot and not view_lib.data_inputs(copy):
                copy.input.append(f'^{place.pivot}')
            self.add(copy, inner)
        outputs = function.signature.output_arg
        return [self._tensor(function.ret[arg.name], body) for arg in outputs]

    def _tensor(self, name: str, body: _Body) -> str:
        """What a function calls `arg`, `^node` or `node:arg:index`."""
        if names.is_control(name):
            node = body.renamed.get(name[1:])
            return f'^{node or names.node_name(body.args[name[1:]])}'
        parts = name.split(':')
        if parts[0] in body.args:
            return body.args[parts[0]]
        node, arg, index = parts
        op_def = self._op_def(body.nodes[node].op)
        position = _first_output(op_def, body.nodes[node], arg) + int(index)
        return TensorRef(body.renamed[node], position).as_input

    def _op_def(self, op: str) -> op_def_pb2.OpDef:
        if op in self._functions:
            return self._functions[op].signature
        try:
            return self._op_defs[op]
        except KeyError:
            raise GraphError(
                f'TensorFlow does not know the op {op!r} that a function holds. Load '
                'the library that registers it, or name outputs before the call.'
            ) from None

    def _new(self, name: str, op: str, inputs: Sequence[str], dtype: int) -> tf.NodeDef:
        node = tf.NodeDef(name=names.claim(name, self._names), op=op, input=inputs)
        node.attr['T'].type = dtype
        self._nodes.append(node)
        return node

    def result(self) -> Inlined:
        """The graph, with every result of a call named as it is now."""
        graph_def = with_nodes(self._source, self._nodes)
        inlined = Inlined(graph_def, self._refused, self._results)
        for node in graph_def.node:
            for position, name in enumerate(node.input):
                if not names.is_control(name):
                    node.input[position] = inlined.renamed(name)
        return inlined


class _Body(NamedTuple):
    """The names of one inlined function.

    Attributes:
      args: argument -> tensor.
      nodes: name in the function -> node.
      renamed: name in the function -> name in the graph.
    """

    args: Dict[str, str]
    nodes: Dict[str, tf.NodeDef]
    renamed: Dict[str, str]


def _callees(node: tf.NodeDef) -> Tuple[str, ...]:
    """Functions of a call; first the one for false, or the condition of a loop."""
    if node.op in LOOP_OPS:
        return tuple(node.attr[key].func.name for key in ('cond', 'body'))
    if node.op in IF_OPS:
        keys = ('else_branch', 'then_branch')
        return tuple(node.attr[key].func.name for key in keys)
    return (node.attr['f'].func.name if node.op in _CALL_OPS else node.op,)


def _changed(body: function_pb2.FunctionDef) -> List[int]:
    """Positions of what the body of a loop does not hand back as it came."""
    signature = body.signature
    pairs = zip(signature.input_arg, signature.output_arg)
    return [i for i, (a, b) in enumerate(pairs) if body.ret[b.name] != a.name]


def _shapes(loop: tf.NodeDef, position: int) -> List[tensor_shape_pb2.TensorShapeProto]:
    """Static shapes of the Merge where a turn of a loop begins."""
    known = loop.attr['output_shapes'].list.shape[position : position + 1]
    unknown = tensor_shape_pb2.TensorShapeProto(unknown_rank=True)
    return [*(known or [unknown]), tensor_shape_pb2.TensorShapeProto()]


def _is_boolean(node: tf.NodeDef) -> bool:
    return view_lib.attribute(node, 'Tcond').type == _BOOL


def _first_output(op_def: op_def_pb2.OpDef, node: tf.NodeDef, arg: str) -> int:
    """Number of the first tensor of an output argument of a node."""
    position = 0
    for output in op_def.output_arg:
        if output.name == arg:
            return position
        if output.number_attr:
            position += node.attr[output.number_attr].i
        elif output.type_list_attr:
            position += len(node.attr[output.type_list_attr].list.type)
        else:
            position += 1
    raise GraphError(
        f'Node {node.name!r} of a function has no output {arg!r}: {op_def.name} has '
        f'{names.quoted([output.name for output in op_def.output_arg])}. The graph was '
        'written by another version of TensorFlow; write it with TensorFlow 1.15.'
    )
