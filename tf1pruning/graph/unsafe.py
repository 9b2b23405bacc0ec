"""Finds what a graph may not run unasked: all ops that are not known to be pure.

The search comes before the first run of a graph. It covers everything that the run
reaches: control dependencies, functions and what these call, loops, datasets. Files are
read, and queues waited for, only where the user asked for the input pipeline; hosts
are never called.
"""

from __future__ import annotations

import re
from typing import (
    Callable,
    Collection,
    Iterator,
    List,
    NamedTuple,
    Sequence,
    Set,
    Tuple,
)

import tensorflow.compat.v1 as tf

from tf1pruning.graph import functions, importing, pipelines
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.pure_ops import PIPELINE_ONLY_OPS, PURE_OPS
from tf1pruning.graph.variables import REF_OPS, RESOURCE_OPS
from tf1pruning.names import op_types

_NETWORK_SOURCES = ('Placeholder', 'PlaceholderWithDefault') + REF_OPS + RESOURCE_OPS
# A tf.print to a file instead of a stream.
_FILE_STREAM = b'file://'
# A dataset that is cached in memory, or in the file that its second input names.
_CACHES = ('CacheDataset', 'CacheDatasetV2')
# A host in a path, as in gs://bucket; or the part of one that an op may join.
_HOST = re.compile(rb':/|:\Z')
# They take strings apart or make them of numbers: any path may come out of them.
_STRING_MAKERS = op_types(
    'AsString DecodeBase64 DecodeCompressed EncodeBase64 RegexReplace SerializeTensor '
    'StaticRegexReplace StringFormat Substr UnicodeEncode UnicodeTranscode'
)
# Pure, whatever their attributes and inputs are.
_ALWAYS_PURE = PURE_OPS.difference(('PrintV2', *_CACHES))


class _Reached(NamedTuple):
    """A node that a run reaches.

    Attributes:
      node: the node, of the graph or of a function.
      caller: the node of the graph that leads there, or the node itself.
    """

    node: tf.NodeDef
    caller: tf.NodeDef

    def __str__(self) -> str:
        return f'{self.caller.name!r} ({self.node.op})'


def find_unsafe(view: view_lib.GraphView, outputs: Collection[str]) -> Tuple[str, ...]:
    """What a run of a network may not run, as "'node' (Op)", in graph order.

    The search stops at the input pipeline: placeholders take its place.

    Args:
      view: of the graph as it was read; it may hold nodes that nothing needs.
      outputs: names of output nodes.
    """
    if _is_pure(view.graph_def):
        return ()
    return _impure(view, _reached(view, outputs, lambda node: not _is_cut(view, node)))


def find_impure(graph_def: tf.GraphDef, fetches: Collection[str]) -> Tuple[str, ...]:
    """Like `find_unsafe`, for a graph that is run as it is."""
    if _is_pure(graph_def):
        return ()
    view = view_lib.GraphView(graph_def)
    return _impure(view, _reached(view, fetches))


def find_impure_pipeline(
    graph_def: tf.GraphDef, fetches: Collection[str]
) -> Tuple[str, ...]:
    """Like `find_impure`, for an input pipeline: it may read files, but of no host."""
    view = view_lib.GraphView(graph_def)
    reached = _reached(view, fetches)
    others = [each for each in reached if each.node.op not in PIPELINE_ONLY_OPS]
    found = _impure(view, others)
    return found if len(others) == len(reached) else (*found, *_hosts(reached))


def _is_pure(graph_def: tf.GraphDef) -> bool:
    """Whether all of a graph is pure, so that no search is needed."""
    has_functions = len(graph_def.library.function) > 0
    return not has_functions and _ALWAYS_PURE.issuperset(
        node.op for node in graph_def.node
    )


def _reached(
    view: view_lib.GraphView,
    starts: Collection[str],
    passes: Callable[[tf.NodeDef], bool] = lambda node: True,
) -> List[_Reached]:
    """The nodes that a run reaches, in graph order; those of functions only once."""
    known = [name for name in starts if name in view]
    before = [node for node in view.before(known, passes, control=True) if passes(node)]
    needed = {node.name for node in before}
    library = functions.by_name(view.graph_def)
    given = view.graph_def.library.gradient
    gradients = {each.function_name: each.gradient_func for each in given}
    seen: Set[str] = set()
    found = []
    for node in view:
        if node.name in needed:
            found.append(_Reached(node, node))
            called = list(functions.called([node], library, seen))
            for name in called:  # It grows.
                found += [_Reached(each, node) for each in library[name].node_def]
                gradient = tf.NodeDef(op=gradients.get(name, ''))
                called += functions.called([gradient], library, seen)
    return found


def _impure(view: view_lib.GraphView, reached: Sequence[_Reached]) -> Tuple[str, ...]:
    """What is not known to be pure.

    An op that TensorFlow does not know is not among it: it cannot run.
    """
    library = functions.by_name(view.graph_def)
    unknown = {
        each.node.op
        for each in reached
        if each.node.op not in PURE_OPS and each.node.op not in library
    }
    impure = {op for op in unknown if importing.is_registered(op)}
    found = (
        str(each)
        for each in reached
        if each.node.op in impure - set(_CACHES) or _writes(view, each)
    )
    return tuple(dict.fromkeys(found))


def _writes(view: view_lib.GraphView, reached: _Reached) -> bool:
    """Whether an op that is usually pure writes a file."""
    node = reached.node
    if node.op == 'PrintV2':
        stream = view_lib.attribute(node, 'output_stream').s
        return bool(stream.startswith(_FILE_STREAM))
    if node.op in _CACHES:
        is_inside = node is not reached.caller
        return is_inside or any(_strings(view.inputs(node)[1]))
    return False


def _is_cut(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    """Whether a placeholder takes the place of a node."""
    if not pipelines.ends_pipeline(view, node.name):
        return False
    return node.op not in pipelines.PYTHON_OPS or not _reads_network(view, node)


def _reads_network(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    before = view.before([node.name], control=True)
    return any(each.op in _NETWORK_SOURCES for each in before)


def _hosts(reached: Sequence[_Reached]) -> Tuple[str, ...]:
    """The strings that may name a host, in a pipeline that reads files."""
    any_colon = any(each.node.op in _STRING_MAKERS for each in reached)
    return tuple(
        f'{each.caller.name!r} (with {text.decode(errors="replace")[:40]!r})'
        for each in reached
        for text in _strings(each.node)
        if _HOST.search(text) or (any_colon and b':' in text)
    )


def _strings(node: tf.NodeDef) -> Iterator[bytes]:
    """The strings that a node holds."""
    for name, value in node.attr.items():
        if not name.startswith('_'):
            yield value.s
            yield from value.list.s
            yield from value.tensor.string_val
            if value.tensor.dtype == tf.string.as_datatype_enum:
                yield value.tensor.tensor_content
