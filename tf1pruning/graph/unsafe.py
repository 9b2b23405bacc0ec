"""Finds ops that write files or call Python, which no graph may run unasked.

The search comes before the first run of a graph. It covers everything that the outputs
depend on, control dependencies and functions included. The input pipeline does not
count, since placeholders take its place.
"""

from __future__ import annotations

from typing import FrozenSet, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.graph import functions, pipelines
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.variables import REF_OPS, RESOURCE_OPS
from tf1pruning.names import op_types

WRITING_OPS = op_types(
    'CreateSummaryDbWriter CreateSummaryFileWriter DatasetToTFRecord '
    'DebugIdentity DebugNanCount DebugNumericSummary '
    'ExperimentalDatasetToTFRecord ImportEvent MergeV2Checkpoints Save '
    'SaveSlices SaveV2 WriteAudioSummary WriteFile WriteGraphSummary '
    'WriteHistogramSummary WriteImageSummary WriteRawProtoSummary '
    'WriteScalarSummary WriteSummary'
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
    known = [name for name in outputs if name in view]
    before = view.before(known, lambda node: node.op not in pipeline, control=True)
    needed = {node.name for node in before}
    library = functions.by_name(graph_def)
    found = []
    for node in graph_def.node:
        if node.name in needed:
            called = functions.called([node], library)
            found += [
                f'{node.name!r} ({each.op})'
                for each in (node, *(n for f in called for n in library[f].node_def))
                if _is_unsafe(each, view, node)
            ]
    return tuple(dict.fromkeys(found))


def _is_unsafe(node: tf.NodeDef, view: view_lib.GraphView, caller: tf.NodeDef) -> bool:
    if node.op in pipelines.PYTHON_OPS:
        # In a pipeline it reads no weights and no placeholders.
        return node is not caller or _reads_network(view, node)
    if node.op == 'PrintV2':
        stream = view_lib.attribute(node, 'output_stream').s
        return bool(stream.startswith(_FILE_STREAM))
    return node.op in WRITING_OPS


def _reads_network(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    before = view.before([node.name], control=True)
    return any(each.op in _NETWORK_SOURCES for each in before)
