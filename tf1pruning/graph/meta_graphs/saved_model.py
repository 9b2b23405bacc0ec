"""Reads the graph of a SavedModel or of a frozen GraphDef, as a MetaGraphDef."""

from __future__ import annotations

import os
from typing import List, Sequence

import tensorflow.compat.v1 as tf
from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

from tf1pruning import files, names
from tf1pruning.errors import GraphError
from tf1pruning.graph.meta_graphs import taking

SAVED_MODEL_FILE = 'saved_model.pb'
VARIABLES_PREFIX = os.path.join('variables', 'variables')


def read_saved_model(folder: str, tags: Sequence[str]) -> tf.MetaGraphDef:
    """The meta graph of a SavedModel that has exactly these tags.

    Raises:
      GraphError: if the file is missing or damaged, or has no such tags.
    """
    model = saved_model_pb2.SavedModel()
    _parse(os.path.join(folder, SAVED_MODEL_FILE), model)
    found: List[List[str]] = []
    for graph in model.meta_graphs:
        found.append(sorted(graph.meta_info_def.tags))
        if found[-1] == sorted(tags):
            taking.take(graph)
            return graph
    raise GraphError(
        f'SavedModel {folder!r} has no graph with the tags {",".join(tags)!r}; it has '
        f'{names.quoted([",".join(each) for each in found]) or "no graphs"}.'
    )


def read_frozen(path: str) -> tf.MetaGraphDef:
    """A frozen GraphDef, as a meta graph without collections.

    Raises:
      GraphError: if the file is missing, damaged or empty.
    """
    graph = tf.MetaGraphDef()
    _parse(path, graph.graph_def)
    if not graph.graph_def.node:
        raise GraphError(f'The frozen graph {path!r} holds no nodes. Freeze it again.')
    taking.take(graph)
    return graph


def _parse(path: str, proto: message.Message) -> None:
    """Reads a binary file into an empty proto."""
    try:
        proto.ParseFromString(files.read_bytes(path))
    except OSError as error:
        raise GraphError(f'{path!r} cannot be read: {files.reason(error)}.') from error
    except message.DecodeError as error:
        is_part = os.path.basename(path) == SAVED_MODEL_FILE
        hint = ' For a SavedModel give its folder.' if is_part else ''
        raise GraphError(
            f'{path!r} is not a binary {type(proto).__name__}, or is truncated.{hint}'
        ) from error
