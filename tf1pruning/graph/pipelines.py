"""Recognizes the input pipeline: iterators, queues, readers, parsers and decoders."""

from __future__ import annotations

from typing import List, Set

from tf1pruning.graph import view as view_lib

PIPELINE_OPS = frozenset(
    (
        'InfeedDequeue',
        'InfeedDequeueTuple',
        'IteratorGetNext',
        'IteratorGetNextSync',
        'OneShotIterator',
        'ParseExample',
        'ParseSequenceExample',
        'ParseSingleExample',
        'ParseSingleSequenceExample',
        'PyFunc',
        'PyFuncStateless',
        'QueueDequeueManyV2',
        'QueueDequeueUpToV2',
        'QueueDequeueV2',
        'ReaderReadUpToV2',
        'ReaderReadV2',
        'ReadFile',
        'RecordInput',
        'Unstage',
    )
)
# Attributes that list the types of all outputs of such an op.
TYPE_LISTS = ('output_types', 'component_types', 'Tout', 'dtypes')
_DECODING_OPS = frozenset(
    (
        'DecodeAndCropJpeg',
        'DecodeBmp',
        'DecodeGif',
        'DecodeJpeg',
        'DecodePng',
        'DecodeRaw',
    )
)


def ends_pipeline(view: view_lib.GraphView, name: str) -> bool:
    """Whether what a node gives is the input of the network.

    It comes out of a pipeline, decoded where the pipeline gives encoded images. What is
    decoded from a placeholder stays as it is: there the caller gives encoded images.
    """
    op = view.node(name).op
    return op in PIPELINE_OPS or (op in _DECODING_OPS and _has_pipeline(view, name))


def _has_pipeline(view: view_lib.GraphView, name: str) -> bool:
    """Whether a node depends on a pipeline; loops do no harm."""
    stack: List[str] = [name]
    seen: Set[str] = set()
    while stack:
        node = view.node(stack.pop())
        if node.op in PIPELINE_OPS:
            return True
        if node.name not in seen:
            seen.add(node.name)
            stack += [ref.node for ref in view_lib.data_inputs(node)]
    return False
