"""Trains a stripped network to answer like the unpruned one, without labels.

The result is verified and exported like any stripped network (`stripped_weights`).
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.channels.trace_result import STATISTIC
from tf1pruning.clock import Listener
from tf1pruning.errors import GraphError
from tf1pruning.graph import walk
from tf1pruning.graph.inference.batch_norm import BATCH_NORM_OPS
from tf1pruning.models.model import Model
from tf1pruning.names import op_types
from tf1pruning.recovery import change as change_lib
from tf1pruning.recovery import comparing, distillation, lessons, run_file
from tf1pruning.recovery.change import Change
from tf1pruning.recovery.distillation import DistillOptions, Trained
from tf1pruning.recovery.network import FrozenNetwork
from tf1pruning.recovery.run_file import RunFile
from tf1pruning.recovery.store import Disk
from tf1pruning.recovery.student import AnswerLoss, Student
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import stripped_weights
from tf1pruning.steps.stripping import StrippedModel

# Inputs of fused batch norm: moving mean and variance.
_STATISTICS = (3, 4)
_ROOTS = op_types('Pow Rsqrt Sqrt')
# 16-bit floats would lose what small steps add up to.
_TRAINED_TYPES = (tf.float32, tf.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Distilled:
    """A stripped network that was trained to answer like the unpruned one.

    Attributes:
      original: the unpruned model.
      given: the stripped network before the training.
      stripped: the same behind it, verified; `given` if nothing better was found.
      rate: the learning rate that was chosen.
      steps: steps of training with it.
      best_step: after how many of them the weights were best; 0: the start.
      losses: (steps, loss on the samples that choose) of each look at them.
      fixed: weight that could not be trained -> why; moving statistics do not count.
      before: how far `given` is from the unpruned model, on samples that took no part
        in the training; None: not measured.
      after: the same of `stripped`.
    """

    original: Model = dataclasses.field(repr=False)
    given: StrippedModel = dataclasses.field(repr=False)
    stripped: StrippedModel = dataclasses.field(repr=False)
    rate: float
    steps: int
    best_step: int
    losses: Tuple[Tuple[int, float], ...] = dataclasses.field(repr=False)
    fixed: Mapping[str, str] = dataclasses.field(repr=False)
    before: Optional[Change] = None
    after: Optional[Change] = None

    def __str__(self) -> str:
        lines = [f'Not trained: {_summary(self.fixed)}.'] if self.fixed else []
        if self.best_step:
            found = dict(self.losses)
            lines.append(
                f'Distilled: best after {self.best_step} of {self.steps} steps with '
                f'the rate {self.rate:g}, loss {found[0]:.3g} -> '
                f'{found[self.best_step]:.3g}.'
            )
        else:
            lines.append(
                f'Nothing better was found in {self.steps} steps with the rate '
                f'{self.rate:g}, so the network stays as it was.'
            )
        if self.before is not None and self.after is not None:
            compared = change_lib.compared(self.before, self.after)
            lines.append(f'Held-out samples: {compared}.')
        return '\n'.join(lines)


def _summary(fixed: Mapping[str, str]) -> str:
    by_reason: Dict[str, List[str]] = {}
    for name, reason in fixed.items():
        by_reason.setdefault(reason, []).append(name)
    return '; '.join(f'{names.quoted(n)} ({why})' for why, n in by_reason.items())


def distill(
    stripped: StrippedModel,
    teacher: Model,
    fit: Batches,
    choose: Batches,
    options: DistillOptions = DistillOptions(),
    state: Optional[str] = None,
    progress: Optional[Listener] = None,
) -> Distilled:
    """Trains a stripped network to answer like the unpruned one.

    Args:
      stripped: the network; not changed.
      teacher: the unpruned one, with the same inputs and outputs.
      fit: samples without labels to train on.
      choose: others, to choose the rate and the best weights by.
      options: how.
      state: file to go on from after a kill; None: none is written.
      progress: called after each look at the samples to choose by.

    Raises:
      DataError: if the samples do not fit or are too few, the teacher's answers do not
        vary, or the file is of another training.
      GraphError: if inputs or outputs differ, a network is not safe to run or has no
        gradient, or nothing in it can be trained.
      CheckpointError: if a weight of the teacher is missing, damaged or not finite.
      OutputError: if the file cannot be written.
      VerificationError: if the trained network differs from what it is stripped of.
    """
    _check_pair(stripped.original, teacher)
    wanted, fixed = _trainable(stripped)
    frozen = teacher.frozen()
    with FrozenNetwork(teacher.graph, frozen, stripped.limits) as answering:
        disk = Disk(options.disk)
        seen = lessons.gather(fit, answering, disk)
        looked = lessons.gather(choose, answering, disk)
        small = stripped.frozen
        file = None
        if state is not None:
            first = [next(each.in_order()) for each in (seen, looked)]
            what = run_file.digest([frozen, small], first, (options, wanted))
            file = RunFile(state, what)
        with _student(stripped, small, wanted, seen.variances, options) as student:
            found = distillation.train(student, seen, looked, options, file, progress)
    for name in sorted(set(wanted) - set(found.weights)):
        fixed[name] = 'has no gradient'
    return _result(stripped, teacher, found, fixed, _first(choose, teacher))


def measured(distilled: Distilled, report: Batches) -> Distilled:
    """The same, with its changes on samples that took no part in the training.

    Raises:
      DataError: if the samples do not fit.
    """
    original, given, done = distilled.original, distilled.given, distilled.stripped
    _, before, after = comparing.changes(
        original.graph,
        original.frozen(),
        [given.frozen, done.frozen],
        report,
        given.limits,
    )
    return dataclasses.replace(distilled, before=before.change, after=after.change)


def _student(
    stripped: StrippedModel,
    frozen: tf.GraphDef,
    trained: Sequence[str],
    variances: Mapping[str, float],
    options: DistillOptions,
) -> Student:
    loss = AnswerLoss(variances, options.outputs, options.temperature)
    outputs = stripped.original.graph.outputs
    return Student(frozen, trained, outputs, loss, stripped.limits)


def _check_pair(student: Model, teacher: Model) -> None:
    """Refuses networks that cannot be compared."""
    for what in ('outputs', 'inputs'):
        own, others = (set(getattr(m.graph, what)) for m in (student, teacher))
        if own != others:
            raise GraphError(
                f'The stripped network has the {what} {names.quoted(sorted(own))} and '
                f'the unpruned one {names.quoted(sorted(others))}. Load both alike.'
            )


def _first(data: Batches, model: Model) -> Dict[str, np.ndarray]:
    """The first batch: input -> array."""
    feeds, _ = running.feeds(model.graph, next(iter(data.start())))
    return {names.node_name(tensor): array for tensor, array in feeds.items()}


def _trainable(stripped: StrippedModel) -> Tuple[List[str], Dict[str, str]]:
    """Weights of the stripped network that can be trained; why others cannot.

    Raises:
      GraphError: if none can.
    """
    fixed = dict.fromkeys(stripped.stripped.fixed, 'became a constant')
    left_alone = _left_alone(stripped.original)
    found = stripped_weights.weight_names(stripped)
    known = [name for name in found if name not in left_alone]
    for name in known:
        dtype = stripped_weights.element_type(stripped, name)
        if dtype not in _TRAINED_TYPES:
            fixed[name] = f'is of the type {dtype.name}'
    wanted = [name for name in known if name not in fixed]
    for name in stripped_weights.lost(stripped, wanted):
        fixed[name] = 'would not come back as it was trained'
    wanted = [name for name in wanted if name not in fixed]
    if not wanted:
        reasons = _summary(fixed) or 'it has none'
        raise GraphError(f'No weight of the network can be trained: {reasons}.')
    return wanted, fixed


def _left_alone(model: Model) -> Set[str]:
    """What a training would not train either: moving statistics, masks and the like.

    Where nothing says what was trained, these are the statistics that fused batch norm
    reads, and what a root is taken of. Another mean acts like a bias.
    """
    variables = model.graph.variables
    if any(variable.trainable for variable in variables):
        return {variable.node for variable in variables if not variable.trainable}
    kept = {use.source for use in model.trace.uses if use.role == STATISTIC}
    return {name for name in kept if _is_statistic(model, name)}


def _is_statistic(model: Model, name: str) -> bool:
    view, computed = model.graph.view(), model.trace.independent
    edges = view.readers(name)
    if any(e.node.op in BATCH_NORM_OPS and e.position in _STATISTICS for e in edges):
        return True

    def behind(node: str) -> List[str]:
        found = (edge.node.name for edge in view.consumers(node))
        return [each for each in found if each in computed]

    return any(view.node(each).op in _ROOTS for each in walk.reached([name], behind))


def _result(
    stripped: StrippedModel,
    teacher: Model,
    found: Trained,
    fixed: Mapping[str, str],
    inputs: Mapping[str, np.ndarray],
) -> Distilled:
    """Like `distill`."""
    done = stripped
    if found.best_step:
        done = stripped_weights.with_weights(stripped, found.weights, inputs)
    return Distilled(
        original=teacher,
        given=stripped,
        stripped=done,
        rate=found.rate,
        steps=found.steps,
        best_step=found.best_step,
        losses=found.losses,
        fixed=fixed,
    )
