"""Strip, verify, write: the way from a retrained checkpoint to the small files."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Collection, Dict, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import files, names
from tf1pruning import plan as plan_lib
from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.errors import GraphError, OutputError
from tf1pruning.graph import forward, freeze, lint, meta_graph, saved_model
from tf1pruning.graph.model import Model
from tf1pruning.names import TensorRef
from tf1pruning.plan import Plan
from tf1pruning.report import cost
from tf1pruning.report import widths as widths_lib
from tf1pruning.surgery import choice as choice_lib
from tf1pruning.surgery import strip as strip_lib
from tf1pruning.surgery import verify, weights
from tf1pruning.surgery.choice import RemovalOptions
from tf1pruning.surgery.verify import Comparison
from tf1pruning.workflow.loading import Source
from tf1pruning.workflow.phases import Phases, phase

# What a model may consist of, besides the data of a checkpoint.
_PARTS = (
    '',
    '.index',
    '.meta',
    f'/{saved_model.SAVED_MODEL_FILE}',
    f'/{saved_model.VARIABLES_PREFIX}.index',
)


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """A stripped network and the proof that it gives the same answers.

    Attributes:
      stripped: the network.
      model: the network before stripping.
      arrays: variable node -> array, before stripping.
      comparison: largest difference between the two; None if it was not measured.
      before: cost before stripping.
      after: cost of the stripped network.
      widths: every group, before and after.
      answers: of the network before stripping, to random input; none if the two were
        not compared.
    """

    stripped: strip_lib.Stripped = dataclasses.field(repr=False)
    model: Model = dataclasses.field(repr=False)
    arrays: Arrays = dataclasses.field(repr=False)
    comparison: Optional[Comparison]
    before: cost.Cost
    after: cost.Cost
    widths: Tuple[widths_lib.GroupWidth, ...] = dataclasses.field(repr=False)
    answers: Tuple[verify.Answers, ...] = dataclasses.field(default=(), repr=False)

    @property
    def reference(self) -> tf.GraphDef:
        """The network before stripping, frozen anew each time it is asked for."""
        return freeze.freeze(self.model, self.arrays)

    @property
    def frozen(self) -> tf.GraphDef:
        """The stripped network, frozen anew each time it is asked for."""
        return freeze.freeze(self.stripped.model, self.stripped.arrays)


def strip_source(
    source: Source,
    plan: Optional[Plan] = None,
    prunable: Collection[str] = (),
    verified: bool = True,
    options: RemovalOptions = strip_lib.EXACT,
    allow_unsafe: bool = False,
    phases: Optional[Phases] = None,
) -> Result:
    """Strips a model and runs it against the original.

    Args:
      source: model and checkpoint; not changed.
      plan: what to remove; None: every channel that is provably redundant.
      prunable: layers to count as prunable; empty: those of the groups that were cut.
      verified: whether to check the stripped graph and to run both networks on random
        input.
      options: what may go.
      allow_unsafe: whether the graph may write files or call Python.
      phases: counts the seconds of `load`, `plan`, `strip`, `freeze` and `verify`.

    Raises:
      GraphError: if it would, and may not; or it is too large to be frozen, or looks
        up in tables.
      CheckpointError: if a weight is missing, misshaped, damaged, NaN or infinite.
      PlanError: if the plan was made for another model.
      OptionError: if lossy removal is allowed and no plan says of what.
      VerificationError: if the outputs differ by more than 1e-5 of their scale, and
        nothing was removed that changes them.
    """
    if source.unsafe_ops and not allow_unsafe:
        raise GraphError(
            'The outputs depend on ops that write files or call Python: '
            f'{", ".join(source.unsafe_ops)}. Nothing was run. Name output nodes '
            'that do not need them, or insist.',
            flags=('allow_unsafe_ops',),
        )
    lint.check_no_tables(source.model.graph_def)
    with phase(phases, 'load'):
        arrays = source.arrays()
    with phase(phases, 'plan'):
        removal = choice_lib.choose(source.trace, source.groups, arrays, plan, options)
    with phase(phases, 'strip'):
        stripped = strip_lib.remove(source.trace, arrays, removal, plan, options)
        result = _measured(source, arrays, stripped, prunable)
    return _verified(result, phases) if verified else result


def _measured(
    source: Source,
    arrays: Arrays,
    stripped: strip_lib.Stripped,
    prunable: Collection[str],
) -> Result:
    """The result with what it costs, not yet compared."""
    cut = {group.name for group in stripped.plan.groups if group.removed}
    nodes = prunable or {
        node for group in source.groups if group.name in cut for node in group.kernels
    }
    return Result(
        stripped=stripped,
        model=source.model,
        arrays=arrays,
        comparison=None,
        before=cost.measure(source.trace, arrays.shapes, nodes),
        after=cost.measure(source.trace, _shapes(stripped), nodes),
        widths=widths_lib.widths_of(source.groups, stripped),
    )


def _shapes(stripped: strip_lib.Stripped) -> Dict[str, cost.Shape]:
    """Variable or changed constant -> new shape."""
    constants = cost.shapes_of(stripped.resizing.constants)
    return {**constants, **stripped.arrays.shapes}


def _verified(result: Result, phases: Optional[Phases]) -> Result:
    """The result with the comparison.

    Raises:
      VerificationError: if the networks differ, and nothing lossy was removed.
    """
    with phase(phases, 'freeze'):
        reference, frozen = result.reference, result.frozen
    with phase(phases, 'verify'):
        _lint(result.model, frozen)
        answers = verify.answers_of(reference, result.model.outputs)
        comparison = verify.differences(answers, frozen)
    if not result.stripped.lossy:
        verify.check(comparison)
    return dataclasses.replace(result, comparison=comparison, answers=answers)


def _lint(model: Model, frozen: tf.GraphDef) -> None:
    view = model.view()
    shapes = {name: view.shape(TensorRef(name, 0)) for name in model.outputs}
    lint.check(frozen, shapes)


def write_checkpoint(result: Result, prefix: str, source: Source) -> str:
    """Writes the stripped checkpoint with a meta graph that imports and restores.

    Raises:
      OutputError: if it would replace the checkpoint that it was made from, or cannot
        be written.
    """
    check_target(prefix, [source.path])
    meta = meta_graph.build_meta_graph(result.stripped.model)
    arrays = weights.CheckpointArrays(result.stripped.model, result.stripped.arrays)
    return writer.write_checkpoint(prefix, arrays, meta.SerializeToString())


def write_training_meta(
    result: Result, path: str, graph: tf.MetaGraphDef, outputs: Sequence[str]
) -> str:
    """Writes the stripped forward graph of a training; see `graph.forward`.

    Args:
      result: the stripped network.
      path: of the meta graph.
      graph: meta graph of the training that the network comes from.
      outputs: output node names.

    Returns:
      The path.

    Raises:
      GraphError: if the training graph cannot be stripped like the network.
      OutputError: if the file cannot be written.
    """
    whole = forward.forward_graph(graph, outputs)
    stripped = forward.resize(whole, result.stripped.resizing)
    meta = forward.build_meta_graph(stripped)
    files.write_bytes(path, meta.SerializeToString())
    return path


def check_target(path: str, sources: Sequence[Optional[str]]) -> None:
    """Protects what a file, folder or checkpoint is made from.

    Args:
      path: of a file or folder, or prefix of a checkpoint.
      sources: checkpoints, SavedModel folders, other files; None is no path.

    Raises:
      OutputError: if a part of one would be replaced.
    """
    if any(replaces(path, source) for source in sources if source):
        raise OutputError(
            f'The new file would replace its own source {path!r}. Choose another '
            'output folder or path.'
        )


def replaces(path: str, model: str) -> bool:
    """Whether a new file, folder or checkpoint takes the place of a part of a model.

    Args:
      path: of a file or folder, or prefix of a checkpoint.
      model: prefix or file of a checkpoint, SavedModel folder, or another file.
    """
    parts = {_whole(model + ending) for ending in _PARTS}
    below = os.path.join(os.path.realpath(path), '')
    return _whole(path) in parts or any(part.startswith(below) for part in parts)


def _whole(path: str) -> str:
    """What a path leads to; of a checkpoint the prefix."""
    return checkpoint_lib.prefix_of(os.path.realpath(path))


def check_plan(source: Source, plan: Plan) -> None:
    """Refuses the plan of another model.

    Raises:
      PlanError: unless it was made for a model like this one.
    """
    plan_lib.check_fits(plan, source.groups, source.model)


def summary_line(result: Result) -> str:
    """What was removed and the largest difference, in one line."""
    plan = result.stripped.plan
    removed = f'Stripped {plan.removed} of {plan.removed + plan.kept} channels'
    lossy = sum(len(verdict.channels) for verdict in result.stripped.lossy)
    note = (
        f' {lossy} of them went although that changes the outputs, so the limit of '
        f'{verify.TOLERANCE:.0e} does not apply.'
    )
    if result.comparison is None:
        line = f'{removed}; outputs were not compared.'
    else:
        line = (
            f'{removed}; largest difference of the outputs '
            f'{result.comparison.absolute:.2e}, {result.comparison.relative:.2e} of '
            'their scale.'
        )
    return line + note if lossy else line


def folded_line(result: Result) -> str:
    """How many layers took up a constant, in one line; '' if none did."""
    folded = result.stripped.folded
    if not folded:
        return ''
    return (
        f'Layers that took up constants of removed channels: {len(folded)} '
        f'({names.quoted(folded)}). That is exact in inference only: in training mode, '
        'with batch norm on the batch, the outputs differ. Mode block leaves no such '
        'constants.'
    )


def report(result: Result) -> Dict[str, Any]:
    """The result as plain data, for `report.json`."""
    comparison = result.comparison
    return {
        'before': dataclasses.asdict(result.before),
        'after': dataclasses.asdict(result.after),
        'max_difference': comparison.absolute if comparison else None,
        'max_difference_relative': comparison.relative if comparison else None,
        'flags': [dataclasses.asdict(f) for f in result.stripped.model.flags],
        'limit_relative': verify.TOLERANCE,
        'limit_applies': not result.stripped.lossy,
        'took_up_constants': list(result.stripped.folded),
        'groups': [dataclasses.asdict(width) for width in result.widths],
        'kept': [dataclasses.asdict(kept) for kept in result.stripped.kept],
        'lossy': [dataclasses.asdict(lossy) for lossy in result.stripped.lossy],
    }
