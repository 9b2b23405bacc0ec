"""Any kind of model on disk -> `Source`: checkpoint, SavedModel or frozen graph."""

from __future__ import annotations

import dataclasses
import os
from typing import Optional, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.graph import inputs as graph_inputs
from tf1pruning.graph import meta_graph, saved_model
from tf1pruning.graph import outputs as outputs_lib
from tf1pruning.graph.variables import VARIABLE_OPS
from tf1pruning.workflow import loading
from tf1pruning.workflow.loading import Source
from tf1pruning.workflow.phases import Phases, phase


@dataclasses.dataclass(frozen=True)
class Options:
    """How to read a model.

    Attributes:
      outputs: output nodes; empty: those of the signature, or the only candidate.
      meta_path: `.meta` file of a checkpoint; None: the one beside it.
      tags: of the graph in a SavedModel.
      signature: of a SavedModel, whose outputs are meant.
      use_moving_averages: whether variables have the values of their averages.
      input_tensors: where to cut the graph, and which shapes to give its inputs.
    """

    outputs: Tuple[str, ...] = ()
    meta_path: Optional[str] = None
    tags: Tuple[str, ...] = ('serve',)
    signature: str = 'serving_default'
    use_moving_averages: bool = False
    input_tensors: Tuple[graph_inputs.Input, ...] = ()


def load(path: str, options: Options, phases: Optional[Phases] = None) -> Source:
    """Reads a model.

    Args:
      path: prefix of a checkpoint, folder of a SavedModel, or a frozen `.pb`.
      options: how.
      phases: counts the seconds of `load` and `trace`.

    Raises:
      GraphError: if the graph is missing or damaged, leaves no clear output, or has
        no such input tensors.
      CheckpointError: if there is no checkpoint, or it is damaged, or has no moving
        averages and these are asked for.
      OptionError: if an option goes with another kind of model.
    """
    with phase(phases, 'load'):
        graph, outputs, variables = _read(path, options)
        return _source(graph, outputs, variables, path, options, phases)


def _read(
    path: str, options: Options
) -> Tuple[tf.MetaGraphDef, Tuple[str, ...], Arrays]:
    """Graph, output nodes and variables."""
    if options.meta_path is not None and not is_checkpoint(path):
        raise OptionError(
            f'A meta graph is given for {path!r}, which has a graph of its own. Give '
            'the prefix of a checkpoint, or leave the meta graph out.'
        )
    if os.path.isdir(path):
        _check_saved_model(path)
        return _read_saved_model(path, options)
    if path.endswith('.pb'):
        graph = saved_model.read_frozen(path)
        variables: Arrays = ArraysInMemory({})
    else:
        variables = checkpoint = Checkpoint(path)
        graph = meta_graph.read_meta_graph(options.meta_path or checkpoint.meta_path)
    _check_checkpoint_options(graph, options)
    return graph, options.outputs or outputs_lib.only_output(graph), variables


def _read_saved_model(
    folder: str, options: Options
) -> Tuple[tf.MetaGraphDef, Tuple[str, ...], Arrays]:
    """Like `_read`, cut where the signature feeds the graph."""
    graph = saved_model.read_saved_model(folder, options.tags)
    outputs = options.outputs or saved_model.signature_outputs(graph, options.signature)
    has_variables = any(n.op in VARIABLE_OPS for n in graph.graph_def.node)
    prefix = os.path.join(folder, saved_model.VARIABLES_PREFIX)
    variables = Checkpoint(prefix) if has_variables else ArraysInMemory({})
    fed = graph_inputs.inside(graph, options.signature)
    return graph_inputs.cut(graph, fed) if fed else graph, outputs, variables


def is_checkpoint(path: str) -> bool:
    """Whether a path is meant as the prefix of a checkpoint."""
    return not os.path.isdir(path) and not path.endswith('.pb')


def _check_saved_model(folder: str) -> None:
    """Raises GraphError if a folder is none of a SavedModel."""
    if not os.path.exists(os.path.join(folder, saved_model.SAVED_MODEL_FILE)):
        raise GraphError(
            f'{folder!r} is no SavedModel: there is no '
            f'{saved_model.SAVED_MODEL_FILE!r}. For a checkpoint give its prefix. '
            f'{checkpoint_lib.found_in(folder)}'
        )


def _check_checkpoint_options(graph: tf.MetaGraphDef, options: Options) -> None:
    """Raises OptionError for options that only a SavedModel has."""
    default = Options()
    problems = []
    if options.tags != default.tags:
        problems.append(f'tags {",".join(options.tags)!r}')
    if options.signature not in (default.signature, *graph.signature_def):
        problems.append(f'signature {options.signature!r}')
    if problems:
        raise OptionError(
            f'The model has no {" and no ".join(problems)}: it is no SavedModel. Leave '
            'that out, and name the output nodes.'
        )


def _source(
    graph: tf.MetaGraphDef,
    outputs: Tuple[str, ...],
    variables: Arrays,
    path: str,
    options: Options,
    phases: Optional[Phases],
) -> Source:
    if options.input_tensors:
        graph = graph_inputs.cut(graph, options.input_tensors)
    source = loading.source_of(
        graph,
        outputs,
        variables,
        path,
        options.use_moving_averages,
        options.signature,
        phases,
    )
    graph_inputs.check_used(source.model.inputs, options.input_tensors)
    return source


def training_graph(path: str, options: Options) -> tf.MetaGraphDef:
    """The graph of the training that wrote a checkpoint.

    Args:
      path: prefix of the checkpoint.
      options: how `load` reads it.

    Raises:
      OptionError: if it is no checkpoint, or the averages are meant.
      GraphError: if the meta graph is missing or damaged.
    """
    if not is_checkpoint(path):
        raise OptionError(
            f'{path!r} is no checkpoint of a training, so there is no optimizer state '
            'to keep. Give the prefix of a checkpoint.'
        )
    if options.use_moving_averages:
        raise OptionError(
            'Training goes on from the variables, not from their averages: keep the '
            'optimizer state, or use the moving averages.'
        )
    graph = meta_graph.read_meta_graph(options.meta_path or f'{path}.meta')
    if options.input_tensors:
        graph = graph_inputs.cut(graph, options.input_tensors)
    return graph
