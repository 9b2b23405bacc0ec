"""Strips a model, runs it against the original, and reports on both."""

from __future__ import annotations

import dataclasses
from typing import Any, Collection, Dict, List, Mapping, Optional, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, sessions
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.errors import CheckpointError, GraphError, VerificationError
from tf1pruning.graph import draws, lint
from tf1pruning.graph.frozen import constant_folding, freeze
from tf1pruning.graph.inference import given as given_lib
from tf1pruning.models.model import Model
from tf1pruning.names import TensorRef
from tf1pruning.phases import Phases
from tf1pruning.plan import Plan
from tf1pruning.report import cost, text
from tf1pruning.report import widths as widths_lib
from tf1pruning.sessions import STRICT, RunLimits
from tf1pruning.surgery import choice as choice_lib
from tf1pruning.surgery import stripped as stripped_lib
from tf1pruning.surgery import verify as verify_lib
from tf1pruning.surgery import weights
from tf1pruning.surgery.choice import RemovalOptions
from tf1pruning.surgery.verify import Comparison


@dataclasses.dataclass(frozen=True)
class Given:
    """The graph as the user gave it, against its inference graph.

    Attributes:
      comparison: the differences that batch norm, dropout and flags make; None if the
        graph does not run as it was given.
      problem: why it does not; '' if it does.
    """

    comparison: Optional[Comparison]
    problem: str = ''

    @property
    def differs(self) -> bool:
        """Whether its answers are others, or could not be compared."""
        found = self.comparison
        return found is None or found.relative > verify_lib.TOLERANCE

    def __str__(self) -> str:
        if self.comparison is None:
            return f'The graph as it was given was not compared: {self.problem}'
        return (
            f'The graph as it was given answers otherwise by '
            f'{self.comparison.absolute:.2e}, {self.comparison.relative:.2e} of the '
            'scale of its outputs, since it is that of a training; what is exported is '
            'its inference graph.'
        )


@dataclasses.dataclass(frozen=True, eq=False)
class StrippedModel:
    """A stripped network and the proof that it gives the same answers.

    Attributes:
      original: the model before stripping.
      stripped: the network.
      planned: what should go; None: every channel that is provably redundant.
      arrays: variable node -> array, before stripping.
      comparison: largest difference between the two; None if it was not measured.
      before: cost before stripping.
      after: cost of the stripped network.
      widths: every group, before and after.
      answers: of the network before stripping; none if the two were not compared.
      ran: digest of the frozen graph that was compared; '' if none was.
      given: the graph as it was read, against the network before stripping; None if
        nothing was converted that changes numbers, or nothing was compared.
      seconds: what stripping took, by phase.
    """

    original: Model = dataclasses.field(repr=False)
    stripped: stripped_lib.Stripped = dataclasses.field(repr=False)
    planned: Optional[Plan] = dataclasses.field(repr=False)
    arrays: Arrays = dataclasses.field(repr=False)
    comparison: Optional[Comparison]
    before: cost.Cost
    after: cost.Cost
    widths: Tuple[widths_lib.GroupWidth, ...] = dataclasses.field(repr=False)
    answers: Tuple[verify_lib.Answers, ...] = dataclasses.field(default=(), repr=False)
    ran: str = dataclasses.field(default='', repr=False)
    given: Optional[Given] = None
    limits: RunLimits = STRICT
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def plan(self) -> Plan:
        """What was really removed."""
        return self.stripped.plan

    @property
    def reference(self) -> tf.GraphDef:
        """The network before stripping, frozen at each call."""
        return freeze.freeze(self.original.graph, self.arrays)

    @property
    def frozen(self) -> tf.GraphDef:
        """The stripped network, frozen at each call."""
        return freeze.freeze(self.stripped.graph, self.stripped.arrays)

    @property
    def exported(self) -> tf.GraphDef:
        """`frozen` with its constants computed: what is verified and written."""
        return constant_folding.fold_constants(self.frozen, self.stripped.graph.outputs)

    def __str__(self) -> str:
        lines = [widths_lib.table(self.widths)]
        lines += [
            f'lost {len(lossy.channels)} of {lossy.group}: {lossy.reason}'
            for lossy in self.stripped.lossy
        ]
        if not self.plan.removed_count:
            lines.append(_why_nothing_goes(self))
        lines += [summary_line(self), _sizes(self)]
        lines += [f'Decided: {flag}.' for flag in self.original.graph.flags]
        if self.given is not None and self.given.differs:
            lines.append(str(self.given))
        return '\n'.join(lines)


def strip_model(
    model: Model,
    plan: Optional[Plan] = None,
    options: RemovalOptions = stripped_lib.EXACT,
    verify: bool = True,
    limits: RunLimits = STRICT,
    prunable: Collection[str] = (),
    samples: Optional[Mapping[str, np.ndarray]] = None,
) -> StrippedModel:
    """Strips a model and runs it against the original.

    Args:
      model: not changed.
      plan: what to remove; None: every channel that is provably redundant.
      options: what may go.
      verify: whether to check the stripped graph and to run both networks.
      limits: of the runs of both.
      prunable: layers to count as prunable; empty: those of the groups that were cut.
      samples: input -> `[samples, ...]` to run both on; None: random input.

    Raises:
      GraphError: if the graph is not safe to run, too large to be frozen, or looks up
        in tables.
      CheckpointError: if a weight is missing, misshaped, damaged, NaN or infinite.
      PlanError: if the plan was made for another model.
      OptionError: if lossy removal is allowed and no plan says of what.
      DataError: if the samples do not fit the inputs.
      VerificationError: if the outputs differ by more than 1e-5 of their scale, and
        nothing was removed that changes them; or if the model does not run.
    """
    if not limits.allow_unsafe:
        sessions.refuse('The outputs depend', model.unsafe_ops)
    lint.check_no_tables(model.graph.graph_def)
    phases = Phases()
    with phases.phase('load'):
        arrays = model.arrays()
    with phases.phase('plan'):
        removal = choice_lib.choose(model.trace, model.groups, arrays, plan, options)
    with phases.phase('strip'):
        network = stripped_lib.remove(model.trace, arrays, removal, plan, options)
        cut = [group for group, channels in removal.removed if channels]
        nodes = prunable or {node for group in cut for node in group.kernels}
        found = StrippedModel(
            original=model,
            stripped=network,
            planned=plan,
            arrays=arrays,
            comparison=None,
            before=cost.measure(model.trace, arrays.shapes, nodes),
            after=_cost_of(model, network, nodes),
            widths=widths_lib.widths_of(model.groups, network),
            limits=limits,
        )
    if verify:
        found = _verified(found, phases, samples)
    return dataclasses.replace(found, seconds=phases.seconds)


def _cost_of(
    model: Model, network: stripped_lib.Stripped, prunable: Collection[str]
) -> cost.Cost:
    """What a stripped network costs."""
    shapes = {**network.weight_shapes, **network.arrays.shapes}
    left = {node.name for node in network.graph.graph_def.node}
    stored = left.intersection((*model.trace.stored, *network.fixed, *network.arrays))
    return cost.measure(model.trace, shapes, prunable, stored)


def _verified(
    found: StrippedModel,
    phases: Phases,
    samples: Optional[Mapping[str, np.ndarray]],
) -> StrippedModel:
    """The stripped model with the comparison; errors like `strip_model`."""
    with phases.phase('freeze'):
        reference, frozen = found.reference, found.exported
    with phases.phase('verify'):
        view = found.original.graph.view()
        outputs = found.original.graph.outputs
        shapes = {name: view.shape(TensorRef(name, 0)) for name in outputs}
        answers = verify_lib.answers_of(reference, outputs, found.limits, samples)
        network = verify_lib.Imported(frozen, outputs, found.limits)
        lint.check(frozen, shapes, network.as_given)
        comparison = verify_lib.differences(answers, network)
    if not found.stripped.lossy:
        verify_lib.check(comparison)
    with phases.phase('verify'):
        given = _given(found, answers[0])
    return dataclasses.replace(
        found,
        comparison=comparison,
        answers=answers,
        ran=verify_lib.digest(frozen),
        given=given,
    )


def _given(found: StrippedModel, answers: verify_lib.Answers) -> Optional[Given]:
    """Compares the graph as it was given with its inference graph."""
    model = found.original
    converted, flags = model.graph.converted, model.graph.flags
    if not (converted.statistics or converted.dropouts or any(flags)):
        return None
    try:
        graph = given_lib.given_graph(model.meta_graph, model.graph)
        off = given_lib.switched_off(graph, model.graph)
        values = {name: np.asarray(value) for name, value in off.items()}
        arrays = weights.model_arrays(graph, model.variables)
        reference = freeze.freeze(graph, arrays)
        feeds = {**answers.feeds, **values}
        missing = [name for name in feeds if name not in graph.view()]
        if missing:
            raise GraphError(f'It lacks {names.quoted(missing)}.')
        expected = verify_lib.answers_to(
            reference, answers.outputs, feeds, found.limits
        )
        return Given(verify_lib.measure(expected, answers.values))
    except (GraphError, CheckpointError, VerificationError) as error:
        return Given(None, str(error))


def summary_line(stripped: StrippedModel) -> str:
    """What was removed and the largest difference, in one line."""
    plan, found = stripped.plan, stripped.comparison
    line = f'Stripped {plan.removed_count} of {plan.channel_count} channels; '
    if found is None:
        line += 'outputs were not compared.'
    else:
        line += (
            f'largest difference of the outputs {found.absolute:.2e}, '
            f'{found.relative:.2e} of their scale.'
        )
    lossy = sum(len(verdict.channels) for verdict in stripped.stripped.lossy)
    if lossy:
        line += (
            f' {lossy} of them went although that changes the outputs, so the limit of '
            f'{verify_lib.TOLERANCE:.0e} does not apply.'
        )
    return line


def folded_line(stripped: StrippedModel) -> str:
    """How many layers took up a constant, in one line; '' if none did."""
    folded = stripped.stripped.folded
    if not folded:
        return ''
    return (
        f'Layers that took up constants of removed channels: {len(folded)} '
        f'({names.quoted(folded)}). That is exact in inference only: in training mode, '
        'with batch norm on the batch, the outputs differ. Mode block leaves no such '
        'constants.'
    )


def _why_nothing_goes(stripped: StrippedModel) -> str:
    planned = stripped.planned
    if planned is None or not planned.removed_count:
        return 'No channel can be removed.'
    return (
        f'None of the {planned.removed_count} planned channels goes: '
        f'{stripped.stripped.kept[0].reason}. If this is the checkpoint before '
        'pruning, give the soft-pruned or retrained one, or allow lossy removal.'
    )


def _sizes(stripped: StrippedModel) -> str:
    before, after = stripped.before, stripped.after
    small = stripped.stripped.arrays
    return (
        f'parameters {before.parameters:,} -> {after.parameters:,}, '
        f'MACs {text.number(before.macs)} -> {text.number(after.macs)}, '
        f'variables {stripped.arrays.nbytes:,} -> {small.nbytes:,} bytes'
    )


def _changes(stripped: StrippedModel) -> Dict[str, Any]:
    """What is not as it was given, as plain data."""
    model, given = stripped.original, stripped.given
    converted = model.graph.converted
    found = given.comparison if given else None
    return {
        'batch_statistics': list(converted.statistics),
        'dropouts': list(converted.dropouts),
        'not_converted': list(converted.kept),
        'random_ops': draws.random_nodes(model.graph.graph_def),
        'as_given': {
            'max_difference': found.absolute if found else None,
            'max_difference_relative': found.relative if found else None,
            'problem': given.problem if given else '',
        },
        'notes': [note.text for note in model.notes],
    }


def report(stripped: StrippedModel) -> Dict[str, Any]:
    """The stripped model as plain data, for `report.json`."""
    comparison, network = stripped.comparison, stripped.stripped

    def fields(values: Collection[Any]) -> List[Dict[str, Any]]:
        return [dataclasses.asdict(value) for value in values]

    return {
        'before': dataclasses.asdict(stripped.before),
        'after': dataclasses.asdict(stripped.after),
        'max_difference': comparison.absolute if comparison else None,
        'max_difference_relative': comparison.relative if comparison else None,
        'flags': fields(network.graph.flags),
        **_changes(stripped),
        'limit_relative': verify_lib.TOLERANCE,
        'limit_applies': not network.lossy,
        'took_up_constants': list(network.folded),
        'kernels_made_constant': list(network.fixed),
        'groups': fields(stripped.widths),
        'kept': fields(network.kept),
        'lossy': fields(network.lossy),
    }
