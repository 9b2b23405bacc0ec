"""Ops that a graph must not run unasked: they write files or call Python.

They are looked for before the graph is run for the first time, on everything that its
outputs depend on, control dependencies and functions included. The input pipeline does
not count, since placeholders take its place.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterator, List, Sequence, Set, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.graph import pipelines
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.variables import REF_OPS, RESOURCE_OPS

WRITING_OPS = frozenset(
    (
        'CreateSummaryDbWriter',
        'CreateSummaryFileWriter',
        'DatasetToTFRecord',
        'DebugIdentity',
        'DebugNanCount',
        'DebugNumericSummary',
        'ExperimentalDatasetToTFRecord',
        'ImportEvent',
        'MergeV2Checkpoints',
        'Save',
        'SaveSlices',
        'SaveV2',
        'WriteAudioSummary',
        'WriteFile',
        'WriteGraphSummary',
        'WriteHistogramSummary',
        'WriteImageSummary',
        'WriteRawProtoSummary',
        'WriteScalarSummary',
        'WriteSummary',
    )
)
_NETWORK_SOURCES = ('Placeholder', 'PlaceholderWithDefault') + REF_OPS + RESOURCE_OPS
# A tf.print to a file instead of a stream.
_FILE_STREAM = b'file://'


def find_unsafe(
    graph_def: tf.GraphDef, outputs: Sequence[str], pipeline: FrozenSet[str]
) -> Tuple[str, ...]:
    """Nodes that write files or call Python, as "'node' (Op)", in graph order.

    Args:
      graph_def: the graph as it was read; may hold nodes that nothing needs.
      outputs: names of output nodes.
      pipeline: types of the ops whose outputs become placeholders.
    """
    view = view_lib.GraphView(graph_def)
    needed = _needed(view, outputs, pipeline)
    functions = {f.signature.name: f.node_def for f in graph_def.library.function}
    found = []
    for node in graph_def.node:
        if node.name in needed:
            found += [
                f'{node.name!r} ({each.op})'
                for each in _with_functions(node, functions)
                if _is_unsafe(each, view, node)
            ]
    return tuple(dict.fromkeys(found))


def _needed(
    view: view_lib.GraphView, outputs: Sequence[str], pipeline: FrozenSet[str]
) -> Set[str]:
    """What outputs depend on, up to the input pipeline."""
    seen: Set[str] = set()
    stack = list(outputs)
    while stack:
        name = stack.pop()
        if name in seen or name not in view:
            continue
        seen.add(name)
        node = view.node(name)
        if node.op not in pipeline:
            stack += [names.node_name(i.lstrip('^')) for i in node.input]
    return seen


def _with_functions(
    node: tf.NodeDef, functions: Dict[str, Sequence[tf.NodeDef]]
) -> Iterator[tf.NodeDef]:
    """A node and all nodes of the functions that it may call."""
    if not functions:
        yield node
        return
    stack: List[tf.NodeDef] = [node]
    called: Set[str] = set()
    while stack:
        each = stack.pop()
        yield each
        for name in _called(each):
            if name in functions and name not in called:
                called.add(name)
                stack += functions[name]


def _called(node: tf.NodeDef) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        for function in value.list.func:
            yield function.name


def _is_unsafe(node: tf.NodeDef, view: view_lib.GraphView, caller: tf.NodeDef) -> bool:
    if node.op in pipelines.PYTHON_OPS:
        # In a pipeline it reads no weights and no placeholders.
        return node is not caller or _reads_network(view, node)
    if node.op == 'PrintV2':
        stream = view_lib.attribute(node, 'output_stream').s
        return bool(stream.startswith(_FILE_STREAM))
    return node.op in WRITING_OPS


def _reads_network(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    above = _needed(view, [node.name], frozenset())
    return any(view.node(name).op in _NETWORK_SOURCES for name in above)
