"""Trains a stripped network to answer like the unpruned one, without labels.

The trained weights are put back into the shapes from before stripping, with zeros at
the channels that are gone. What comes of that is stripped again, so that the result is
verified and exported like any stripped network.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import (
    Any,
    Collection,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning import plan as plan_lib
from tf1pruning.channels.trace_result import STATISTIC
from tf1pruning.errors import GraphError, VerificationError
from tf1pruning.graph.frozen import freeze
from tf1pruning.models.model import Model
from tf1pruning.models.new_weights import with_new_weights
from tf1pruning.plan import Plan
from tf1pruning.recovery import change as change_lib
from tf1pruning.recovery import comparing, distillation, lessons, run_file
from tf1pruning.recovery.change import Change
from tf1pruning.recovery.distillation import DistillOptions, Progress, Trained
from tf1pruning.recovery.network import Network
from tf1pruning.recovery.run_file import RunFile
from tf1pruning.recovery.student import Goal, Student
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import soft_pruning, stripping
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.surgery import put_back, weights

# Share of the largest weight by which one may change on its way back.
_ROUNDING = 1e-6

# Share by which a weight is changed to see whether it comes back.
_PROBE = 0.01
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
      losses: (steps, loss on the held-out samples) of each look at them.
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
    progress: Optional[Progress] = None,
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
    frozen = freeze.freeze(teacher.graph, teacher.arrays())
    with Network(teacher.graph, frozen, stripped.limits) as answering:
        seen = lessons.gather(fit, answering, options.cache_bytes)
        looked = lessons.gather(choose, answering, options.cache_bytes)
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
        freeze.freeze(original.graph, original.arrays()),
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
    goal = Goal(variances, options.outputs, options.temperature)
    outputs = stripped.original.graph.outputs
    return Student(frozen, trained, outputs, goal, stripped.limits)


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
    feeds, _ = batches_lib.feeds(model.graph, next(iter(data.start())))
    return {names.node_name(tensor): array for tensor, array in feeds.items()}


def _trainable(stripped: StrippedModel) -> Tuple[List[str], Dict[str, str]]:
    """Weights of the stripped network that can be trained; why others cannot.

    Raises:
      GraphError: if none can.
    """
    fixed = dict.fromkeys(stripped.stripped.fixed, 'became a constant')
    left_alone = _left_alone(stripped.original)
    known = [name for name in _known(stripped) if name not in left_alone]
    for name in known:
        dtype = _type(stripped, name)
        if dtype not in _TRAINED_TYPES:
            fixed[name] = f'is of the type {dtype.name}'
    wanted = [name for name in known if name not in fixed]
    for name in _lost(stripped, wanted):
        fixed[name] = 'would not come back as it was trained'
    wanted = [name for name in wanted if name not in fixed]
    if not wanted:
        raise GraphError(f'No weight of the network can be trained: {_summary(fixed)}.')
    return wanted, fixed


def _known(stripped: StrippedModel) -> List[str]:
    """The weights of the stripped network: variables and constants."""
    network, trace = stripped.stripped, stripped.original.trace
    left = {node.name for node in network.graph.graph_def.node}
    constants = left.intersection(trace.stored) - set(network.arrays)
    return [*network.arrays, *sorted(constants.difference(network.fixed))]


def _left_alone(model: Model) -> Set[str]:
    """What a training would not train either: moving statistics, masks and the like."""
    variables = model.graph.variables
    trained = {variable.node for variable in variables if variable.trainable}
    others = {v.node for v in variables if trained and not v.trainable}
    statistics = {
        use.source
        for use in model.trace.uses
        if use.role == STATISTIC and not use.is_kept
    }
    return others | (statistics - trained)


def _type(stripped: StrippedModel, name: str) -> tf.DType:
    """Element type of a weight of a stripped network."""
    network = stripped.stripped
    own = {variable.node: variable.dtype for variable in network.graph.variables}
    if name in own:
        return own[name]
    return tf.as_dtype(network.graph.view().node(name).attr['dtype'].type)


def _weight(stripped: StrippedModel, name: str) -> np.ndarray:
    """A weight of a stripped network."""
    network = stripped.stripped
    return weights.array_of(network.graph.view(), name, network.arrays)


def _lost(stripped: StrippedModel, trained: Collection[str]) -> List[str]:
    """Weights that would come back otherwise than they were trained.

    That can only be where the network computes something of its weights.
    """
    if not stripped.original.trace.computed:
        return []
    generator = np.random.RandomState(0)
    changed = {}
    for name in trained:
        array = _weight(stripped, name)
        factor = 1 + _PROBE * generator.rand(*array.shape)
        changed[name] = (array * factor).astype(array.dtype)
    again = _strip(stripped, _soft_pruned(stripped, changed), verify=False)
    return _differing(again, changed)


def _differing(
    stripped: StrippedModel, expected: Mapping[str, np.ndarray]
) -> List[str]:
    """The weights that are missing or have other values."""
    known = set(_known(stripped))
    return [
        name
        for name, array in expected.items()
        if name not in known or not _is_close(_weight(stripped, name), array)
    ]


def _is_close(found: np.ndarray, expected: np.ndarray) -> bool:
    if found.shape != expected.shape:
        return False
    limit = _ROUNDING * np.abs(expected).max(initial=0)
    return bool(np.all(np.abs(found - expected) <= limit))


def _soft_pruned(stripped: StrippedModel, trained: Mapping[str, np.ndarray]) -> Model:
    """The model from before stripping that is stripped to these weights.

    Channels that are gone are zero in it at all their places. So nothing of them is
    folded any more, but where zeros cannot be written; that is taken off here.
    """
    folded = {name: _weight(stripped, name) for name in stripped.stripped.folded}
    wanted = {**folded, **trained}
    model = _with_weights(stripped, wanted)
    if not folded:
        return model
    again = _strip(stripped, model, verify=False)
    share = {n: _weight(again, n) - wanted[n] for n in again.stripped.folded}
    return _with_weights(stripped, {n: a - share.get(n, 0) for n, a in wanted.items()})


def _with_weights(stripped: StrippedModel, small: Mapping[str, np.ndarray]) -> Model:
    """The model from before stripping with these weights, and zeros at the cuts."""
    original, plan = stripped.original, _plan(stripped)
    # Only read, which needs no more than a Mapping.
    own: Any = stripped.arrays
    whole = collections.ChainMap(original.constants(), own)
    filled = put_back.put_back(original.trace, original.groups, plan, small, whole)
    return soft_pruning.with_zeros(with_new_weights(original, filled), plan)


def _plan(stripped: StrippedModel) -> Plan:
    """What was removed, with zeros everywhere."""
    return dataclasses.replace(stripped.plan, mode=plan_lib.BLOCK)


def _strip(
    stripped: StrippedModel,
    model: Model,
    verify: bool,
    inputs: Optional[Mapping[str, np.ndarray]] = None,
) -> StrippedModel:
    """Strips a model like another one of its kind."""
    again = stripping.strip_model(
        model, _plan(stripped), verify=verify, limits=stripped.limits, samples=inputs
    )
    network = dataclasses.replace(again.stripped, kept=stripped.stripped.kept)
    return dataclasses.replace(
        again,
        stripped=network,
        planned=stripped.planned,
        before=stripped.before,
        after=stripped.after,
    )


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
        done = _strip(stripped, _soft_pruned(stripped, found.weights), True, inputs)
        old = {name: _weight(stripped, name) for name in _known(stripped)}
        differing = _differing(done, {**old, **found.weights})
        if differing:
            raise VerificationError(
                f'The weights {names.quoted(differing)} are not those that were '
                'trained. This is a bug: please report it.'
            )
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
