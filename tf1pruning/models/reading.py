"""Reads a `Model` from a checkpoint, a SavedModel or a frozen graph."""

from __future__ import annotations

import dataclasses
import os
from typing import NamedTuple, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import files, names, typed
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.ckpt.arrays import Arrays, ArraysInMemory
from tf1pruning.ckpt.averages import Averaged
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.graph import inference_graph, unsafe
from tf1pruning.graph import outputs as outputs_lib
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import derivation, losses, optimizers
from tf1pruning.graph.inference import inputs as inputs_lib
from tf1pruning.graph.meta_graphs import (
    meta_graph,
    same_signatures,
    saved_model,
    signature,
)
from tf1pruning.graph.variables import VARIABLE_OPS
from tf1pruning.models import notes as notes_lib
from tf1pruning.models import saved_objects
from tf1pruning.models.model import Model
from tf1pruning.notes import Note
from tf1pruning.phases import Phases

DEFAULT_OUTPUTS = ('output',)
DEFAULT_TAGS = ('serve',)
_KERAS_FILES, _KERAS_WEIGHTS = ('.keras', '.h5', '.hdf5'), '.weights.h5'
MOVING, BATCH = BATCH_NORMS = ('moving', 'batch')


@typed.checked
@dataclasses.dataclass(frozen=True)
class LoadOptions:
    """How to read a model.

    Attributes:
      meta_path: `.meta` file of a checkpoint; None: the one beside it.
      tags: of the graph in a SavedModel.
      signature: whose inputs and outputs are meant; None: those of all signatures, the
        default one first.
      use_moving_averages: whether variables have the values of their averages.
      input_tensors: where to cut the graph, with the shapes of its new inputs, such as
        'image=1,224,224,3' ('?' for an open size).
      input_map: tensor name -> placeholder, or name for one, that replaces it; None:
        the input pipeline is found and replaced.
      traced_only: whether the model is only traced and never run. Then batch statistics
        of any form do no harm, and where it lacks a node `output`, its losses are its
        outputs: every layer lies before a loss.
      batch_norm: 'moving': what normalizes by the batch, as a training does, uses its
        moving statistics. 'batch': it stays as it is.
      keep_dropout: whether dropout stays, and draws random numbers.
      keep_flags: whether training flags stay inputs, and conditionals on them.

    Raises:
      OptionError: on another value of `batch_norm`.
    """

    meta_path: Optional[files.Path] = None
    tags: Tuple[str, ...] = DEFAULT_TAGS
    signature: Optional[str] = None
    use_moving_averages: bool = False
    input_tensors: Tuple[str, ...] = ()
    input_map: Optional[derivation.InputMap] = None
    traced_only: bool = False
    batch_norm: str = MOVING
    keep_dropout: bool = False
    keep_flags: bool = False

    def __post_init__(self) -> None:
        if self.batch_norm not in BATCH_NORMS:
            raise OptionError(
                f'batch_norm is {self.batch_norm!r}; expected one of '
                f'{names.quoted(BATCH_NORMS)}.'
            )

    @property
    def kept(self) -> Tuple[str, ...]:
        """What is not converted, see `graph.inference.derivation.derive`."""
        kept = (self.batch_norm == BATCH, self.keep_dropout, self.keep_flags)
        return tuple(kind for kind, keeps in zip(inference_graph.KINDS, kept) if keeps)


class _Parts(NamedTuple):
    """What was read; see `Model`."""

    graph: tf.MetaGraphDef
    outputs: Sequence[str]
    variables: Arrays
    path: str
    meta_path: Optional[str] = None
    notes: Tuple[Note, ...] = ()


@typed.checked
def load(
    path: files.Path,
    outputs: Sequence[str] = (),
    options: LoadOptions = LoadOptions(),
) -> Model:
    """Reads a model and finds its channels. Nothing in it is run.

    Args:
      path: prefix of a checkpoint, or folder whose newest one is meant; folder of a
        SavedModel; or a frozen graph (`.pb`).
      outputs: names of the output nodes; empty: those of the signatures, or the only
        node that may be one.
      options: how to read it.

    Raises:
      GraphError: if the graph is missing or damaged, cannot be turned into inference,
        leaves no clear output, or has no such input tensors.
      CheckpointError: if there is no checkpoint, or it is damaged, or has no moving
        averages and these are asked for.
      OptionError: if an option is for another kind of model.
    """
    phases, path = Phases(), os.fspath(path)
    try:
        files.check_name(path)
    except OSError as error:
        raise GraphError(f'{path!r} cannot be read: {files.reason(error)}.') from error
    with phases.phase('load'):
        return _model(_read(path, tuple(outputs), options), options, phases)


def from_graph(
    graph: tf.MetaGraphDef,
    outputs: Sequence[str],
    variables: Arrays,
    path: str,
    options: LoadOptions = LoadOptions(),
) -> Model:
    """Like `load`, for a graph and weights that are at hand.

    Args:
      graph: of training or inference; not changed.
      outputs: names of the output nodes.
      variables: of the graph.
      path: of the model, for messages and to protect it.
      options: how to read it.

    Raises:
      GraphError: like `load`.
      CheckpointError: if the averages are asked for and there are none that fit.
    """
    return _model(_Parts(graph, outputs, variables, path), options, Phases())


def split_outputs(output_nodes: str) -> Tuple[str, ...]:
    """Parses a comma-separated list of output nodes.

    >>> split_outputs('boxes, scores:0')
    ('boxes', 'scores')

    Raises:
      GraphError: on a blank, or another tensor of a node than its first.
    """
    given = [name.strip() for name in output_nodes.split(',')]
    if not all(given):
        raise GraphError(
            f'Output nodes {output_nodes!r} have a blank; expected names with commas.'
        )
    for name in given:
        if ':' in name and not name.endswith(':0'):
            raise GraphError(
                f'Output {name!r} is not the first tensor of its node; expected a node '
                'name. Put a tf.identity behind the tensor and name that.'
            )
    return tuple(names.node_name(name) for name in given)


def _refuse_keras(path: str) -> None:
    """Raises GraphError for a file of Keras, which needs its own code to be read."""
    if path.endswith(_KERAS_WEIGHTS):
        raise GraphError(
            f'{path!r} holds the weights of a Keras model without its graph. Build the '
            'model, load them, and write a SavedModel with model.export(folder), or '
            "model.save(folder, save_format='tf') before Keras 3. Give that folder."
        )
    if path.endswith(_KERAS_FILES):
        raise GraphError(
            f'{path!r} is a file of Keras. Write a SavedModel: '
            f'tf.keras.models.load_model({path!r}).export(folder), or .save(folder, '
            "save_format='tf') before Keras 3. Give that folder."
        )


def _read(path: str, outputs: Tuple[str, ...], options: LoadOptions) -> _Parts:
    _refuse_keras(path)
    is_frozen = not os.path.isdir(path) and path.endswith('.pb')
    proto = os.path.join(path, saved_model.SAVED_MODEL_FILE)
    if is_frozen or os.path.exists(proto):
        if options.meta_path is not None:
            raise OptionError(
                f'A meta graph is given for {path!r}, which has its own graph. Give '
                'the prefix of a checkpoint, or leave the meta graph out.'
            )
        parts = (
            _Parts(saved_model.read_frozen(path), (), ArraysInMemory({}), path)
            if is_frozen
            else _read_saved_model(path, options)
        )
    else:
        checkpoint = Checkpoint(_prefix(path))
        meta_path = os.fspath(options.meta_path or checkpoint.meta_path)
        graph = meta_graph.read_meta_graph(meta_path)
        parts = _Parts(graph, (), checkpoint, checkpoint.prefix, meta_path)
    if is_frozen or not os.path.exists(proto):
        _check_options(parts.graph, options)
    return _with_outputs(parts, outputs, options.signature)


def _with_outputs(
    parts: _Parts, outputs: Tuple[str, ...], wanted: Optional[str]
) -> _Parts:
    """The parts, cut where signatures feed the graph."""
    graph = parts.graph
    named = outputs or signature.outputs_of(graph, wanted)
    fed = inputs_lib.inside(graph, wanted or signature.DEFAULT_NAME, wanted is None)
    if fed:
        parts = parts._replace(graph=inputs_lib.cut(graph, fed))
    if named:
        return parts._replace(outputs=named)
    found = outputs_lib.only_output(graph)
    return parts._replace(outputs=(found.name,), notes=found.notes)


def _prefix(path: str) -> str:
    """The prefix of a checkpoint; of a folder, that of its newest checkpoint."""
    if not os.path.isdir(path):
        return path
    newest = checkpoint_lib.newest(path)
    if newest is None:
        raise GraphError(
            f'{path!r} is no SavedModel, since there is no '
            f'{saved_model.SAVED_MODEL_FILE!r}, and it has no file `checkpoint` that '
            f'names a checkpoint. {checkpoint_lib.found_in(path)}'
        )
    return newest


def _read_saved_model(folder: str, options: LoadOptions) -> _Parts:
    """Like `_read`, without outputs."""
    graph = saved_model.read_saved_model(folder, options.tags)
    same_signatures.merge(graph, options.signature or signature.DEFAULT_NAME)
    has_variables = any(n.op in VARIABLE_OPS for n in graph.graph_def.node)
    prefix = os.path.join(folder, saved_model.VARIABLES_PREFIX)
    if not has_variables:
        return _Parts(graph, (), ArraysInMemory({}), folder)
    variables = Checkpoint(prefix, saved_objects.saved_objects(graph))
    return _Parts(graph, (), variables, folder)


def _check_options(graph: tf.MetaGraphDef, options: LoadOptions) -> None:
    """Raises OptionError for options that only a SavedModel has."""
    problems = []
    if tuple(options.tags) != DEFAULT_TAGS:
        problems.append(f'tags {",".join(options.tags)!r}')
    if options.signature not in (None, *graph.signature_def):
        problems.append(f'signature {options.signature!r}')
    if problems:
        raise OptionError(
            f'The model has no {" and no ".join(problems)}: it is no SavedModel. Leave '
            'that out, and name the output nodes.'
        )


def _model(parts: _Parts, options: LoadOptions, phases: Phases) -> Model:
    meta, outputs = parts.graph, parts.outputs
    inputs = inputs_lib.parse_inputs(options.input_tensors)
    if inputs:
        meta = inputs_lib.cut(meta, inputs)
    if options.traced_only:
        outputs = _outputs_or_losses(meta, outputs)
    graph = derivation.derive(
        meta, outputs, options.input_map, not options.traced_only, options.kept
    )
    averaged = options.use_moving_averages
    variables = Averaged(parts.variables) if averaged else parts.variables
    with phases.phase('trace'):
        trace = trace_lib.trace(graph)
        groups = groups_lib.find_groups(trace)
    inputs_lib.check_used(graph.inputs, inputs)
    read = view_lib.GraphView(meta.graph_def)
    return Model(
        path=parts.path,
        variables=variables,
        meta_graph=meta,
        meta_path=parts.meta_path,
        graph=graph,
        trace=trace,
        groups=groups,
        unsafe_ops=unsafe.find_unsafe(read, graph.outputs),
        signatures=signature.signatures_of(graph, meta, options.signature),
        notes=(*parts.notes, *notes_lib.notes_on(graph, read, variables)),
        divisors=optimizers.divisors(meta),
        seconds=phases.seconds,
    )


def _outputs_or_losses(graph: tf.MetaGraphDef, outputs: Sequence[str]) -> Sequence[str]:
    present = {node.name for node in graph.graph_def.node}
    if tuple(outputs) == DEFAULT_OUTPUTS and not present.intersection(outputs):
        return losses.data_losses(graph) or outputs
    return outputs
