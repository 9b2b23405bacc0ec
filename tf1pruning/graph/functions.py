"""Puts the bodies of functions in the place of their calls.

With `tf.enable_control_flow_v2()`, and in functions, a graph holds calls: an `If` names
one function per branch, a `PartitionedCall` names one. Here

- a call becomes the nodes of its function, in the scope of the call;
- an `If` becomes both branches, in the scopes `then` and `else`, with a Switch for each
  argument and a Merge for each result, as TensorFlow itself runs it. So a conditional
  has one form, whatever wrote it.

A node keeps its name: the call itself stays as the node that holds its first result.
"""

from __future__ import annotations

from typing import (
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import function_pb2, op_def_pb2

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import op_defs, walk
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.nodes import copied, with_nodes
from tf1pruning.names import TensorRef

IF_OPS = ('If', 'StatelessIf')
_CALL_OPS = ('PartitionedCall', 'StatefulPartitionedCall')

Functions = Mapping[str, function_pb2.FunctionDef]


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
    functions = by_name(graph_def)
    if not any(_is_call(node, functions) for node in graph_def.node):
        return Inlined(graph_def, {}, {})
    inliner = _Inliner(graph_def, functions)
    for node in graph_def.node:
        inliner.add(node, _Place('', '', ()))
    return inliner.result()


def by_name(graph_def: tf.GraphDef) -> Functions:
    """The functions of a graph."""
    return {f.signature.name: f for f in graph_def.library.function}


def called(
    nodes: Iterable[tf.NodeDef],
    functions: Functions,
    seen: Optional[Set[str]] = None,
) -> Iterator[str]:
    """Names of the functions that nodes name, directly or through others.

    Args:
      nodes: of a graph.
      functions: of the graph.
      seen: names that are left out, and to which those found are added.
    """
    known = set() if seen is None else seen

    def new(nodes: Iterable[tf.NodeDef]) -> List[str]:
        return [name for name in calls(nodes, functions) if name not in known]

    def inside(name: str) -> List[str]:
        known.add(name)
        return new(functions[name].node_def)

    return walk.reached(new(nodes), inside)


def calls(nodes: Iterable[tf.NodeDef], functions: Functions) -> List[str]:
    """Names of the functions that nodes name themselves, once for each time."""
    found = [name for node in nodes for name in _named(node)] if functions else []
    return [name for name in found if name in functions]


def _named(node: tf.NodeDef) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        for function in value.list.func:
            yield function.name


def used_library(graph_def: tf.GraphDef) -> function_pb2.FunctionDefLibrary:
    """The functions that the nodes of a graph name, directly or through others."""
    used = set(called(graph_def.node, by_name(graph_def)))
    library = function_pb2.FunctionDefLibrary()
    kept = (f for f in graph_def.library.function if f.signature.name in used)
    library.function.extend(kept)
    gradients = graph_def.library.gradient
    library.gradient.extend(g for g in gradients if g.function_name in used)
    return library


def _is_call(node: tf.NodeDef, functions: Functions) -> bool:
    return node.op in IF_OPS or node.op in _CALL_OPS or node.op in functions


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
        return None

    def _add_conditional(
        self, node: tf.NodeDef, called: Sequence[str], place: _Place
    ) -> None:
        condition, *args = [ref.as_input for ref in view_lib.data_inputs(node)]
        boolean = tf.bool.as_datatype_enum
        inputs = [condition, condition]
        switch = self._new(f'{node.name}/switch', 'Switch', inputs, boolean)
        switches = [
            self._new(f'{node.name}/arg_{i}', 'Switch', [arg, condition], dtype)
            for i, (arg, dtype) in enumerate(zip(args, node.attr['Tin'].list.type))
        ]
        results = []
        for taken, (label, name) in enumerate(zip(('else', 'then'), called)):
            scope = f'{node.name}/{label}'
            side = TensorRef(switch.name, taken).as_input
            pivot = self._new(f'{scope}/pivot', 'Identity', [side], boolean)
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
    """Functions of a call; of a conditional the one for false comes first."""
    if node.op in IF_OPS:
        keys = ('else_branch', 'then_branch')
        return tuple(node.attr[key].func.name for key in keys)
    return (node.attr['f'].func.name if node.op in _CALL_OPS else node.op,)


def _is_boolean(node: tf.NodeDef) -> bool:
    return view_lib.attribute(node, 'Tcond').type == tf.bool.as_datatype_enum


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
