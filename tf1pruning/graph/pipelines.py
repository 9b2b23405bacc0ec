"""Recognizes the input pipeline: iterators, queues, readers, parsers and decoders."""

from __future__ import annotations

from typing import Iterable, List

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.nodes import LAYER_OPS
from tf1pruning.graph.variables import VARIABLE_OPS
from tf1pruning.names import op_types

# Of a pipeline, or of a network that computes in Python.
PYTHON_OPS = frozenset(('EagerPyFunc', 'PyFunc', 'PyFuncStateless'))
PIPELINE_OPS = PYTHON_OPS.union(
    op_types(
        'InfeedDequeue InfeedDequeueTuple IteratorGetNext IteratorGetNextSync '
        'OneShotIterator ParseExample ParseExampleV2 '
        'ParseSequenceExample ParseSequenceExampleV2 ParseSingleExample '
        'ParseSingleSequenceExample QueueDequeueManyV2 QueueDequeueUpToV2 '
        'QueueDequeueV2 ReaderReadUpToV2 ReaderReadV2 ReadFile RecordInput '
        'Unstage'
    )
)
_ITERATOR_OPS = frozenset(('Iterator', 'IteratorV2'))
_TABLE_INITIALIZERS = op_types(
    'InitializeTable InitializeTableFromTextFile '
    'InitializeTableFromTextFileV2 InitializeTableV2 LookupTableImport '
    'LookupTableImportV2'
)
_DECODING_OPS = op_types(
    'DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeRaw'
)


def initializers(view: view_lib.GraphView, targets: Iterable[str]) -> List[str]:
    """What has to run before a pipeline, in this order: tables, then iterators.

    They are found by data flow, as a meta graph may not say what they are.

    Args:
      view: of the graph.
      targets: names of nodes of the pipeline.

    Returns:
      Names of nodes.

    Raises:
      GraphError: names the iterators that have several (for training and for test).
    """
    before = [node.name for node in view.ancestors(targets)]
    makers = {
        name: [e.node.name for e in view.consumers(name) if e.node.op == 'MakeIterator']
        for name in before
        if view.node(name).op in _ITERATOR_OPS
    }
    several = [name for name, found in makers.items() if len(found) > 1]
    if several:
        raise GraphError(
            f'The iterators {names.quoted(several)} can be started in several ways, '
            'and nothing says which gives the batches.'
        )
    iterators = [name for found in makers.values() for name in found]
    tables = {
        edge.node.name: None
        for node in view.ancestors([*targets, *iterators])
        for edge in view.consumers(node.name)
        if edge.node.op in _TABLE_INITIALIZERS
    }
    return [*tables, *iterators]


def ends_pipeline(view: view_lib.GraphView, name: str) -> bool:
    """Whether what a node gives is the input of the network.

    It comes out of a pipeline, decoded where the pipeline gives encoded images. What is
    decoded from a placeholder stays as it is: there the caller gives encoded images.
    """
    node = view.node(name)
    return is_pipeline(view, node) or (
        node.op in _DECODING_OPS
        and any(before.op in PIPELINE_OPS for before in view.before([name]))
    )


def is_pipeline(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    """Whether a node belongs to an input pipeline; behind a layer none does."""
    return node.op in PIPELINE_OPS and not any(
        before.op in LAYER_OPS or _is_weight(before)
        for before in view.before([node.name])
    )


def _is_weight(node: tf.NodeDef) -> bool:
    dtype = tf.as_dtype(view_lib.attribute(node, 'dtype').type or tf.int32)
    return node.op in VARIABLE_OPS and dtype.is_floating
