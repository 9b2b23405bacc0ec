"""Checks a graph that was read from a file, before anything else looks at it.

A file may hold what TensorFlow would refuse or crash on: a missing input, an attribute
of another kind, a cycle, a function that calls itself. Each is refused here, with its
node, so that no other module needs guards. Nothing is imported: that would take longer
than all else that is done with a large graph.
"""

from __future__ import annotations

import re
from typing import Dict, List, NoReturn, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import function_pb2

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import functions as functions_lib
from tf1pruning.graph import growth, op_signatures, walk
from tf1pruning.graph import nodes as nodes_lib
from tf1pruning.graph.functions import Functions
from tf1pruning.graph.op_signatures import ANY, Signature

# How many nodes a graph may have once its functions are put in the place of calls: so
# many, or so many times those that are written, but not more than the last. It may
# always have twice its own.
_FEW_NODES, _TIMES, _MANY_NODES = 1 << 13, 16, 1 << 18
_NAME = re.compile(r'[A-Za-z0-9.][A-Za-z0-9_.\-/]*\Z')
_TURNS = ('NextIteration', 'RefNextIteration')
_MERGES = ('Merge', 'RefMerge')

Signatures = Dict[str, Signature]


def check(meta_graph: tf.MetaGraphDef) -> None:
    """Refuses what TensorFlow would refuse, or could crash on.

    What only shapes show is left to TensorFlow. Of an op that it does not know, only
    the names of inputs are checked.

    Raises:
      GraphError: names the node and what is wrong with it.
    """
    graph_def = meta_graph.graph_def
    wanted, ours = graph_def.versions.min_consumer, tf.version.GRAPH_DEF_VERSION
    if wanted > ours:
        raise GraphError(
            f'The graph is for a TensorFlow that reads graphs of version {wanted}; '
            f'this one reads {ours}. Write it with TensorFlow 1.15.'
        )
    library = graph_def.library.function
    ops = {node.op for node in graph_def.node}
    ops.update(node.op for function in library for node in function.node_def)
    written = meta_graph.meta_info_def.stripped_op_list.op
    known = op_signatures.signatures(ops, written)
    for function in library:
        name = function.signature.name
        if name in known:
            _refuse(
                f'function {name!r}', 'has the name of an op or of another function'
            )
        known[name] = Signature(function.signature)
    _Checker(graph_def.node, known, functions_lib.by_name(graph_def)).check()
    _check_functions(graph_def, known)


class _Checker:
    """Checks the nodes of a graph."""

    def __init__(
        self, nodes: Sequence[tf.NodeDef], known: Signatures, functions: Functions
    ):
        self._nodes, self._known, self._functions = nodes, known, functions
        self._positions: Dict[str, int] = {}
        # The same, for names as control inputs have them.
        self._controls: Dict[str, int] = {}
        self._types: Dict[str, Sequence[int]] = {}

    def check(self) -> None:
        """Raises GraphError for the first node that is wrong."""
        for node in self._nodes:
            self._check_alone(node)
        backward = [node for node in self._nodes if self._reads_later(node)]
        if backward:
            self._check_order()
        for node in self._nodes:
            _check_growth(_shown(node), growth.problem(node, self._constant))

    def _constant(self, name: str) -> Optional[tf.NodeDef]:
        node = self._nodes[self._positions[names.node_name(name)]]
        return node if node.op == 'Const' else None

    def _check_alone(self, node: tf.NodeDef) -> None:
        """Checks the name and the attributes of a node."""
        name = node.name
        if not _NAME.match(name):
            _refuse(_shown(node), 'has a name that TensorFlow does not take')
        if name in self._positions:
            raise GraphError(f'The graph is damaged: two nodes named {name!r}.')
        self._controls[f'^{name}'] = self._positions[name] = len(self._positions)
        signature = self._known.get(node.op)
        if signature is not None:
            problem = signature.problem(node, self._functions)
            if problem:
                _refuse(_shown(node), problem)

    def _reads_later(self, node: tf.NodeDef) -> bool:
        """Checks the inputs of a node; whether one of them comes behind it."""
        inputs = list(node.input)
        data = nodes_lib.data_names(node)
        found: List[int] = []
        latest = self._latest(node, inputs, len(data))
        for name in data:
            source, dtype = self._source(node, name)
            found.append(dtype)
            position = self._positions.get(source)
            if position is None:
                _refuse(_shown(node), f'reads {name!r}, which is not in the graph')
            if position > latest:
                latest = position
        signature = self._known.get(node.op)
        problem = signature.input_problem(node, found) if signature else ''
        if problem:
            _refuse(_shown(node), problem)
        return latest >= self._positions[node.name]

    def _latest(self, node: tf.NodeDef, inputs: Sequence[str], first: int) -> int:
        """Checks the control inputs of a node; the position of the last in the graph.

        A node of a training may wait for hundreds of others.

        Args:
          node: the node.
          inputs: its inputs.
          first: number of the first control input.
        """
        try:
            positions = map(self._controls.__getitem__, inputs[first:])
            return max(positions, default=-1)
        except KeyError as error:
            (name,) = error.args
            if not names.is_control(name):
                before = inputs[inputs.index(name, first) - 1]
                _refuse(_shown(node), f'reads {name!r} behind {before!r}')
            _refuse(_shown(node), f'reads {name!r}, which is not in the graph')

    def _source(self, node: tf.NodeDef, name: str) -> Tuple[str, int]:
        """The node that gives an input, and the type of the input."""
        source, output = names.parse_tensor(name)
        types = self._types.get(source)
        if types is None:
            types = self._types[source] = self._outputs(source)
        if not types:
            return source, ANY
        if output >= len(types):
            _refuse(
                _shown(node), f'reads {name!r}; {source!r} has {len(types)} outputs'
            )
        return source, types[output]

    def _outputs(self, name: str) -> Sequence[int]:
        """The types of the outputs of a node, as far as they are known."""
        position = self._positions.get(name)
        node = self._nodes[position] if position is not None else None
        signature = self._known.get(node.op) if node is not None else None
        return signature.outputs(node) if signature is not None else ()

    def _check_order(self) -> None:
        """Refuses cycles, other than those of loops."""
        turning = {node.name for node in self._nodes if node.op in _TURNS}
        waiting: Dict[str, int] = {}
        readers: Dict[str, List[str]] = {}
        for node in self._nodes:
            sources = set(map(names.node_name, node.input))
            if node.op in _MERGES:
                sources -= turning
            waiting[node.name] = len(sources)
            for source in sources:
                readers.setdefault(source, []).append(node.name)
        ready = [name for name, count in waiting.items() if not count]
        while ready:
            name = ready.pop()
            del waiting[name]
            for reader in readers.get(name, ()):
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready.append(reader)
        if waiting:
            raise GraphError(
                f'Nodes {names.quoted(list(waiting), 3)} lie on a cycle that is no '
                'loop of tf.while_loop, or behind one. The graph is damaged.'
            )


def _check_functions(graph_def: tf.GraphDef, known: Signatures) -> None:
    """Checks the functions that the graph uses, and how much they expand to."""
    functions = functions_lib.by_name(graph_def)
    called = list(functions_lib.called(graph_def.node, functions))
    calls = {n: functions_lib.calls(functions[n].node_def, functions) for n in called}
    sizes: Dict[str, int] = {}
    for name in walk.leaves_first(called, calls.__getitem__):
        again = [each for each in calls[name] if each not in sizes]
        if again:
            _refuse(f'function {name!r}', f'calls itself by way of {again[0]!r}')
        sizes[name] = len(functions[name].node_def) + sum(
            sizes[each] for each in calls[name]
        )
        _FunctionChecker(functions[name], known, functions).check()
    own = len(graph_def.node)
    made = functions_lib.calls(graph_def.node, functions)
    total = own + sum(sizes[name] for name in made)
    written = own + sum(len(each.node_def) for each in graph_def.library.function)
    most = max(_FEW_NODES, 2 * own, min(_TIMES * written, _MANY_NODES))
    if called and total > most:
        raise GraphError(
            'With its functions in the place of their calls the graph has more than '
            f'{most:,} nodes, while {written:,} are written. Name outputs before the '
            'calls.'
        )


class _FunctionChecker:
    """Checks a function; the types of its tensors are left to TensorFlow."""

    def __init__(
        self,
        function: function_pb2.FunctionDef,
        known: Signatures,
        functions: Functions,
    ):
        self._function, self._known, self._functions = function, known, functions
        self._arguments = {each.name for each in function.signature.input_arg}
        self._nodes = {node.name: node for node in function.node_def}

    def check(self) -> None:
        """Raises GraphError for the first node that is wrong."""
        function = self._function
        what = f'function {function.signature.name!r}'
        taken = len(function.node_def) + len(self._arguments)
        if len({*self._nodes, *self._arguments}) != taken:
            _refuse(what, 'has two nodes of one name')
        for node in function.node_def:
            if not _NAME.match(node.name):
                _refuse(self._named(node), 'has a name that TensorFlow does not take')
            problem = self._problem(node)
            if problem:
                _refuse(self._named(node), problem)
        returned = {each.name for each in function.signature.output_arg}
        wrong = returned.symmetric_difference(function.ret)
        problem = f'does not return {names.quoted(sorted(wrong))}' if wrong else ''
        problems = (self._input_problem(name) for name in function.ret.values())
        problem = problem or next(filter(None, problems), '')
        if problem:
            _refuse(what, problem)

    def _problem(self, node: tf.NodeDef) -> str:
        signature = self._known.get(node.op)
        is_open = any(value.placeholder for value in node.attr.values())
        data = nodes_lib.data_names(node)
        late = [name for name in node.input[len(data) :] if not names.is_control(name)]
        if late:
            return f'reads {late[0]!r} behind a control input'
        if signature is not None and not is_open:
            problem = signature.problem(node, self._functions)
            problem = problem or signature.input_problem(node, [ANY] * len(data))
            if problem:
                return problem
        problems = (self._input_problem(name) for name in node.input)
        problem = next(filter(None, problems), '')
        if not (problem or is_open):
            _check_growth(self._named(node), growth.problem(node, self._constant))
        return problem

    def _named(self, node: tf.NodeDef) -> str:
        return f'{_shown(node)} of function {self._function.signature.name!r}'

    def _constant(self, name: str) -> Optional[tf.NodeDef]:
        node = self._nodes.get(name.split(':')[0])
        return node if node is not None and node.op == 'Const' else None

    def _input_problem(self, name: str) -> str:
        """What is wrong with what is called `arg`, `^node` or `node:arg:index`."""
        source, *output = name.lstrip('^').split(':')
        node = self._nodes.get(source)
        if node is None:
            is_argument = source in self._arguments and not output
            return '' if is_argument else f'reads {name!r}, which is not in it'
        if names.is_control(name):
            return ''
        if len(output) != 2 or not output[1].isdigit():
            return f'reads {name!r}; expected a name such as {source + ":y:0"!r}'
        signature = self._known.get(node.op)
        count = signature.output_count(node, output[0]) if signature else None
        if signature and (count is None or int(output[1]) >= count):
            return f'reads {name!r}, which {node.op!r} does not have'
        return ''


def _shown(node: tf.NodeDef) -> str:
    return f'node {node.name!r} ({node.op})'


def _check_growth(what: str, problem: str) -> None:
    if problem:
        raise GraphError(
            f'The graph would fill the memory: {what} {problem}. Write the file again '
            'with smaller sizes.'
        )


def _refuse(what: str, problem: str) -> NoReturn:
    raise GraphError(
        f'The graph is damaged: {what} {problem}. Write the file again with TensorFlow '
        '1.15.'
    )
