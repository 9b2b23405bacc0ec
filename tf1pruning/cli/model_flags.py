"""Flags of the model and its groups."""

from __future__ import annotations

from absl import flags

from tf1pruning.channels import select
from tf1pruning.cli import program
from tf1pruning.models import reading
from tf1pruning.models.model import Model
from tf1pruning.models.reading import DEFAULT_TAGS, LoadOptions
from tf1pruning.report import interface


def define() -> None:
    """Defines the flags of a model."""
    flags.DEFINE_string(
        'model',
        None,
        'Prefix of a checkpoint, or a folder, for its newest checkpoint; folder of a '
        'SavedModel; or frozen graph (.pb).',
    )
    flags.mark_flag_as_required('model')
    flags.DEFINE_string(
        'output_nodes',
        None,
        'Names of the output nodes, separated by commas. Default: those of the '
        'signature, or the only candidate.',
    )
    flags.DEFINE_string(
        'meta_graph', None, 'Meta graph. Default: the .meta beside the checkpoint.'
    )
    flags.DEFINE_multi_string(
        'input_tensors',
        [],
        'Tensors that become the inputs, with their shapes: name=1,224,224,3 (? for an '
        'open size). Separate several by semicolons, or repeat the flag.',
    )
    flags.DEFINE_list('tags', list(DEFAULT_TAGS), 'Tags of the graph in a SavedModel.')
    flags.DEFINE_string(
        'signature',
        None,
        'Signature whose inputs and outputs are meant. Default: those of all.',
    )
    flags.DEFINE_bool(
        'use_moving_averages',
        False,
        'Use the moving averages of the variables as their values, and write these to '
        'all files, also for variables that are not pruned.',
    )
    flags.DEFINE_enum(
        'batch_norm',
        reading.MOVING,
        list(reading.BATCH_NORMS),
        'moving: batch norm that normalizes by the batch, as a training does, uses its '
        'moving statistics. batch: it stays as it is.',
    )
    flags.DEFINE_bool('keep_dropout', False, 'Leave dropout in the network.')
    flags.DEFINE_bool(
        'keep_flags', False, 'Leave training flags as inputs, and what they decide.'
    )


def define_limits() -> None:
    """Defines the flags that say what the runs of a graph may do."""
    flags.DEFINE_bool(
        'allow_unsafe_ops',
        False,
        'Run ops that are not known to be pure: they may read or write files, call '
        'hosts, wait, or call Python.',
    )
    flags.DEFINE_float(
        'verify_timeout',
        None,
        'Seconds that one run of the graph may take. Default: 600, or 20 if the graph '
        'has a loop.',
        lower_bound=0.001,
    )


def model() -> Model:
    """The model that the flags name.

    Raises:
      Tf1PruningError: like `models.reading.load`.
    """
    values = flags.FLAGS
    given = values.output_nodes
    options = LoadOptions(
        meta_path=values.meta_graph,
        tags=tuple(values.tags),
        signature=values.signature,
        use_moving_averages=values.use_moving_averages,
        input_tensors=tuple(values.input_tensors),
        batch_norm=values.batch_norm,
        keep_dropout=values.keep_dropout,
        keep_flags=values.keep_flags,
    )
    outputs = reading.split_outputs(given) if given is not None else ()
    found = reading.load(values.model, outputs, options)
    if found.path != values.model:
        print(f'The newest checkpoint of the folder is {found.path}.')
    return found


def say_read(model: Model) -> None:
    """Prints the inputs and outputs that were read, which are left out, and notes.

    A note says what was changed or chosen in reading the model, or what looks wrong.
    """
    print(interface.table('read', model.graph, model.signatures))
    for signature in model.signatures:
        for line in signature.losses():
            print(line)
    for note in model.notes:
        print(program.with_flags(note.text, note.options))
    print()


def define_groups(default: str = select.AUTO) -> None:
    """Defines the flags that choose groups of the model."""
    flags.DEFINE_list(
        'scope_names', [''], 'Scopes of the channels. Default: the whole model.'
    )
    flags.DEFINE_enum(
        'groups',
        default,
        list(select.WHICH),
        'inner: the inner channels of inverted-residual and squeeze-and-excite blocks. '
        'all: every group that may be cut. auto: inner if the model has such blocks, '
        'else all.',
    )


def which_groups(model: Model) -> str:
    """'inner' or 'all', by --groups; prints a line where 'auto' finds no blocks."""
    found = select.resolved(flags.FLAGS.groups, model.groups)
    if found == select.ALL and flags.FLAGS.groups == select.AUTO:
        print('The model has no inner blocks: all its groups are meant (--groups=all).')
    return found
