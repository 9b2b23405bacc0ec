"""A hook that watches a plan during training and, if asked, keeps its zeros zero.

    plan = plan_json.load_plan('pruned/TH0.5/Pruning_Dict/Pruned_Filters.json')
    hook = PruningHook(plan, policy=HOLD, summary_dir=model_dir)
    estimator.train(input_fn, hooks=[hook])

The `Session.run` of a training step also writes the zeros, after the op that changes
the variable. So the checkpoint of a step holds its zeros, even if the hook that saves
it comes first. A call that changes no planned variable (evaluation, or a step that only
accumulates gradients) writes none.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, FrozenSet, Hashable, Mapping, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from absl import logging

from tf1pruning import names, typed
from tf1pruning import plan as plan_lib
from tf1pruning.channels.groups import Group
from tf1pruning.errors import OptionError, PlanError, WorkflowError
from tf1pruning.plan import GroupPlan, Plan
from tf1pruning.report import dashboard, training_events
from tf1pruning.report.images import NormHistory
from tf1pruning.training import graph_variables, running
from tf1pruning.training.eraser import Eraser
from tf1pruning.training.observer import Observer

OBSERVE = 'observe'
HOLD = 'hold'
SOFT = 'soft'
POLICIES = (OBSERVE, HOLD, SOFT)


@typed.checked
class PruningHook(tf.train.SessionRunHook):
    """Logs filter norms and the failure rate of a plan, and keeps its zeros.

    Optimizer slots are zeroed with their weights. In a distributed training every
    worker that trains needs the hook; give only the chief a `summary_dir`.

    Args:
      plan: which channels are zero.
      policy: OBSERVE: measure only. HOLD: the cuts are zero after every step. SOFT:
        they are zeroed every `zero_steps` steps and free in between (He et al., "Soft
        Filter Pruning", arXiv 1808.06866).
      every_steps: steps between two measurements; the end of training is measured, too.
      summary_dir: events go there, by way of the `FileWriterCache`, as an Estimator's
        own do; None: into the log only.
      zero_steps: for SOFT: steps between two rounds of zeroing. The steps of one epoch
        give the published method.
      rerank: for SOFT: the groups of the model (`models.model.Model.groups`). Each
        round zeroes as many filters of each group as the plan has, but those that have
        the smallest L2 norm then. Empty: always those of the plan.

    Raises:
      OptionError: on an unknown policy or a bad number of steps.
    """

    def __init__(
        self,
        plan: Plan,
        policy: str = OBSERVE,
        every_steps: int = 100,
        summary_dir: Optional[str] = None,
        zero_steps: Optional[int] = None,
        rerank: Sequence[Group] = (),
    ):
        _check_options(policy, every_steps, zero_steps, rerank)
        self._plan = plan
        self._policy = policy
        self._every_steps = every_steps
        self._summary_dir = summary_dir
        self._zero_steps = zero_steps or 0
        self._groups = _chosen(plan, rerank)
        self._history = NormHistory()
        self._has_layout = False

    @property
    def plan(self) -> Plan:
        """The plan that is zeroed now: the given one, or the last re-ranking."""
        return self._plan

    @property
    def listener(self) -> tf.train.CheckpointSaverListener:
        """Under HOLD it zeroes the cuts right before a checkpoint is saved.

        For `saving_listeners` of the chief, where others write the variables: workers
        that train asynchronously, or the thread of a `SyncReplicasOptimizer`.
        """
        return _BeforeSaving(self._hold)

    def _hold(self, session: tf.Session) -> None:
        if self._eraser is not None and self._policy == HOLD:
            session.run(self._eraser.all)

    def begin(self) -> None:
        """Builds the ops, while the graph can still grow.

        Raises:
          PlanError: if the plan is for another graph.
          WorkflowError: without a global step.
        """
        self._step_tensor = tf.train.get_global_step()
        if self._step_tensor is None:
            raise WorkflowError(
                'PruningHook counts by the global step and the graph has none. Call '
                'tf.train.get_or_create_global_step() and give it to the optimizer.'
            )
        parts = graph_variables.by_key(tf.global_variables())
        graph_variables.check_fits(self._plan, graph_variables.shapes_of(parts))
        self._observer = Observer(self._plan, parts)
        self._eraser: Optional[Eraser] = None
        if self._policy != OBSERVE:
            self._eraser = Eraser(self._plan, parts, replaceable=bool(self._groups))
        self._running: Dict[Hashable, FrozenSet[tf.Operation]] = {}

    def after_create_session(
        self, session: tf.Session, coord: tf.train.Coordinator
    ) -> None:
        """Zeroes the cuts, so that the first step starts with them."""
        self._step = int(session.run(self._step_tensor))
        self._measured = self._zeroed = self._step
        self._logged = -1
        if self._eraser is not None:
            session.run(self._eraser.all, self._feeds())

    def before_run(
        self, run_context: tf.train.SessionRunContext
    ) -> tf.train.SessionRunArgs:
        """Asks for zeros behind the ops that the call runs, if it is time for them."""
        if self._eraser is None or not self._is_time(self._step + 1):
            return tf.train.SessionRunArgs((self._step_tensor, []))
        if self._groups:
            self._plan = self._reranked(run_context.session)
        erasing = self._eraser.after(self._ops_that_run(run_context.original_args))
        return tf.train.SessionRunArgs(
            (self._step_tensor, erasing), feed_dict=self._feeds()
        )

    def after_run(
        self,
        run_context: tf.train.SessionRunContext,
        run_values: tf.train.SessionRunValues,
    ) -> None:
        """Zeroes what could not be zeroed within the call, and measures if due."""
        session = run_context.session
        step, erased = run_values.results
        before, self._step = self._step, self._exact(session, int(step), bool(erased))
        if self._eraser is not None and self._is_time(self._step):
            called = self._ops_that_run(run_context.original_args)
            unordered = called & self._eraser.in_loops
            # Some other process runs the ops, as for a SyncReplicasOptimizer.
            elsewhere = not erased and self._step > before
            if unordered or elsewhere or self._policy == SOFT:
                session.run(self._eraser.all, self._feeds())
            self._zeroed = self._step
        if self._step - self._measured >= self._every_steps:
            self._measure(session)

    def end(self, session: tf.Session) -> None:
        """Measures a last time."""
        self._step = int(session.run(self._step_tensor))
        if self._step != self._logged:
            self._measure(session)

    def _is_time(self, step: int) -> bool:
        """Whether the cuts are to be zero after a step."""
        return self._policy == HOLD or step - self._zeroed >= self._zero_steps

    def _exact(self, session: tf.Session, step: int, erased: bool) -> int:
        """The global step, read again where it matters.

        The one that was read along with a training step may lack that step.
        """
        due = self._measured + self._every_steps
        if self._policy == SOFT:
            due = min(due, self._zeroed + self._zero_steps)
        # It may be one step behind, and the next call takes one more before it is read.
        if step + 2 < due and (erased or self._policy != HOLD):
            return step
        return int(session.run(self._step_tensor))

    def _feeds(self) -> Optional[Dict[tf.Tensor, np.ndarray]]:
        """The plan of the newest re-ranking, if there is any."""
        if not self._groups or self._eraser is None:
            return None
        return self._eraser.feeds(self._plan)

    def _ops_that_run(self, args: tf.train.SessionRunArgs) -> FrozenSet[tf.Operation]:
        key = running.key_of(args)
        if key not in self._running:
            self._running[key] = running.needed_ops(self._step_tensor.graph, args)
        return self._running[key]

    def _reranked(self, session: tf.Session) -> Plan:
        norms = self._observer.observe(session, self._plan).norms
        return dataclasses.replace(
            self._plan,
            groups=tuple(
                _rank(planned, self._groups.get(planned.name), norms)
                for planned in self._plan.groups
            ),
        )

    def _measure(self, session: tf.Session) -> None:
        self._measured = self._logged = self._step
        found = self._observer.observe(session, self._plan)
        logging.info(
            'Step %d: failure rate of the plan %.3f',
            self._step,
            found.failures.total.rate,
        )
        if self._summary_dir is not None:
            self._history.add(found.norms)
            summary = training_events.summary(
                found.failures, found.norms, found.planned, self._history
            )
            writer = tf.summary.FileWriterCache.get(self._summary_dir)
            if not self._has_layout:
                writer.add_summary(dashboard.layout())
                self._has_layout = True
            writer.add_summary(summary, self._step)
            writer.flush()


class _BeforeSaving(tf.train.CheckpointSaverListener):
    """Calls `act` with the session before each checkpoint."""

    def __init__(self, act: Callable[[tf.Session], None]):
        self._act = act

    def before_save(self, session: tf.Session, global_step_value: int) -> None:
        self._act(session)


def _rank(
    planned: GroupPlan, group: Optional[Group], norms: Mapping[str, np.ndarray]
) -> GroupPlan:
    """Plans as many channels of the group: those with the smallest norms."""
    if group is None:
        return planned
    squares = np.square(norms[planned.name])[group.producer.positions].sum(axis=1)
    order = np.argsort(squares, kind='stable')
    chosen = order[: len(planned.removed)]
    return plan_lib.plan_group(group, chosen, planned.wanted, planned.capped)


def _chosen(plan: Plan, groups: Sequence[Group]) -> Dict[str, Group]:
    """Group name -> group, for the groups that the plan cuts."""
    known = {group.name: group for group in groups}
    cut = [planned.name for planned in plan.groups if planned.removed]
    missing = [name for name in cut if name not in known]
    if groups and missing:
        raise PlanError(
            f'The plan cuts groups that `rerank` lacks: {names.quoted(missing)}. '
            f'{names.did_you_mean(missing[0], known)} Give the groups of the model '
            'that the plan was made for.'
        )
    return {name: known[name] for name in cut} if groups else {}


def _check_options(
    policy: str, every_steps: int, zero_steps: Optional[int], rerank: Sequence[Group]
) -> None:
    if policy not in POLICIES:
        raise OptionError(
            f'Policy is {policy!r}; expected one of {names.quoted(POLICIES)}.'
        )
    if every_steps < 1:
        raise OptionError(f'every_steps is {every_steps}; expected at least 1.')
    if policy == SOFT and (zero_steps is None or zero_steps < 1):
        raise OptionError(
            f'Policy {SOFT!r} zeroes every zero_steps steps; expected at least 1, '
            f'found {zero_steps}.'
        )
    if policy != SOFT and (zero_steps is not None or rerank):
        raise OptionError(
            f'zero_steps and rerank belong to policy {SOFT!r}; found {policy!r}.'
        )
