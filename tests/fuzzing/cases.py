"""Runs steps of the tools on mutated graphs: a result or a clear error comes out."""

from __future__ import annotations

import functools
from typing import Dict, List, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tests.fuzzing import graphs, mutations
from tf1pruning import api
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.errors import Tf1PruningError
from tf1pruning.graph.meta_graphs import meta_graph as meta_graph_lib
from tf1pruning.models import reading

Source = Tuple[tf.MetaGraphDef, Dict[str, np.ndarray]]


@functools.lru_cache(maxsize=None)
def sources() -> List[Source]:
    """The graphs, with weights."""
    found = [graphs.meta_graph(build) for build in graphs.ALL]
    return [(meta, _weights(meta.graph_def)) for meta in found]


def _weights(graph_def: tf.GraphDef) -> Dict[str, np.ndarray]:
    generator = np.random.RandomState(0)
    shapes = {
        node.name: [dim.size for dim in node.attr['shape'].shape.dim]
        for node in graph_def.node
        if node.op in ('VariableV2', 'VarHandleOp')
    }
    return {name: generator.randn(*s).astype('f') for name, s in shapes.items()}


def outcome(seed: int, path: str) -> str:
    """How analysis and stripping of a mutated graph end: 'ok', or the message.

    Args:
      seed: of the mutation.
      path: of a file for the graph.

    Raises:
      Exception: any error that is no Tf1PruningError is a fault of ours.
    """
    source, arrays = sources()[seed % len(graphs.ALL)]
    meta = tf.MetaGraphDef()
    meta.CopyFrom(source)
    mutations.mutate(meta, seed)
    with open(path, 'wb') as file:
        file.write(meta.SerializeToString())
    try:
        read = meta_graph_lib.read_meta_graph(path)
        model = reading.from_graph(read, ('output',), ArraysInMemory(arrays), path)
        str(api.analyze(model))
        str(api.strip(model, verify=False))
    except Tf1PruningError as error:
        return str(error)
    return 'ok'
