"""Carries out a schedule over a `tf.estimator.Estimator`, which trains in each round.

Each round chooses channels in the newest checkpoint, writes zeros, and trains on from
there, with a hook that keeps the zeros. What is gone stays gone. Shapes stay: all
rounds use one `model_fn`, and the result is stripped afterwards.

`output_dir` holds `state.json`, which lists what is done, and `round_0001/` with
`plan.json`, `pruned/` (the soft-pruned checkpoint) and `trained/` (the Estimator's
`model_dir`). A run that was killed goes on from there when its call is repeated.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import tensorflow.compat.v1 as tf
from absl import logging

from tf1pruning import files, names, plan_json, typed
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import DataError, OptionError
from tf1pruning.plan import Plan
from tf1pruning.schedules.chooser import Chooser
from tf1pruning.schedules.model_fn_graph import InputFn
from tf1pruning.schedules.options import Options
from tf1pruning.schedules.schedule import Done, Round, Rounds, Schedule
from tf1pruning.training import run_state
from tf1pruning.training.pruning_hook import HOLD, PruningHook
from tf1pruning.training.warm_start import GLOBAL_STEP, warm_start_settings

STATE_FILE = 'state.json'
PLAN_FILE = 'plan.json'
PRUNED = os.path.join('pruned', 'model.ckpt')
TRAINED = 'trained'


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a run of a schedule left.

    Attributes:
      rounds: all that were run, also a last one that was not good enough.
      checkpoint: of the last good round; the given one, if no round was good.
      plan: what is zero in it; None, if no round was good.
    """

    rounds: Tuple[Done, ...]
    checkpoint: str
    plan: Optional[Plan]


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """How the model is trained and evaluated.

    Attributes:
      model_fn: as for an Estimator.
      input_fn: training data; takes no arguments.
      eval_input_fn: data to evaluate on, if there is an evaluation.
      params: of the Estimator.
      config: of the Estimator, without `model_dir`.
    """

    model_fn: Callable[..., tf.estimator.EstimatorSpec]
    input_fn: InputFn
    eval_input_fn: Optional[InputFn] = None
    params: Optional[Mapping[str, Any]] = None
    config: Optional[tf.estimator.RunConfig] = None

    def estimator(
        self,
        model_dir: str,
        warm_start: Optional[tf.estimator.WarmStartSettings] = None,
    ) -> tf.estimator.Estimator:
        """The Estimator of one round."""
        params = None if self.params is None else dict(self.params)
        return tf.estimator.Estimator(
            self.model_fn, model_dir, self.config, params, warm_start
        )


@typed.checked
def prune_finetune(
    model_fn: Callable[..., tf.estimator.EstimatorSpec],
    input_fn: InputFn,
    schedule: Schedule,
    checkpoint: files.Path,
    output_dir: files.Path,
    options: Options = Options(),
    eval_input_fn: Optional[InputFn] = None,
    params: Optional[Mapping[str, Any]] = None,
    config: Optional[tf.estimator.RunConfig] = None,
    on_round: Optional[Callable[[Done], None]] = None,
) -> Result:
    """Prunes and trains by a schedule; continues a run that was stopped.

    Args:
      model_fn: as for an Estimator.
      input_fn: training data; takes no arguments. Data-driven criteria look at its
        first batches.
      schedule: how much goes in which round.
      checkpoint: prefix of a trained checkpoint of the model.
      output_dir: for everything that the run writes.
      options: how channels are chosen.
      eval_input_fn: data to evaluate each round on; None: no evaluation.
      params: of the Estimator.
      config: of the Estimator, without `model_dir`.
      on_round: called after each round that this call finishes.

    Raises:
      OptionError: on options that do not fit each other or the model, or if the run in
        `output_dir` had others.
      CheckpointError: if the checkpoint is missing, damaged, or of another model.
      GraphError: if a scope holds nothing that may be cut.
      PlanError: if the limits of the schedule do not let so much go.
      VerificationError: if a latency is asked for and the model does not run.
      DataError: if scores are not finite, the evaluation lacks the metric, or the
        state of the run in `output_dir` is damaged.
      OutputError: if the files cannot be written.
    """
    recipe = Recipe(model_fn, input_fn, eval_input_fn, params, config)
    paths = os.fspath(checkpoint), os.fspath(output_dir)
    run = _Run(recipe, *paths, options, schedule)
    while not run.is_over:
        wanted = schedule(run.done)
        if wanted is None:
            break
        found = run.round(wanted)
        if on_round is not None:
            on_round(found)
    return run.result()


class _Run:
    """The rounds of a run, in order. Finished work is not repeated."""

    def __init__(
        self,
        recipe: Recipe,
        checkpoint: str,
        output_dir: str,
        options: Options,
        schedule: Schedule,
    ):
        if options.min_accuracy is not None and recipe.eval_input_fn is None:
            raise OptionError('min_accuracy needs an evaluation: give eval_input_fn.')
        self._recipe = recipe
        self._start = checkpoint
        self._output_dir = output_dir
        self._options = options
        self._state_path = os.path.join(output_dir, STATE_FILE)
        self._state = run_state.load_or_new(
            self._state_path, _settings(checkpoint, options, schedule), Done
        )
        estimator = recipe.estimator(self._path(1, TRAINED))
        self._chooser = Chooser(estimator, recipe.input_fn, checkpoint, options)
        if isinstance(schedule, Rounds):
            # Better now than in the last of a hundred rounds.
            self._chooser.check(schedule.rounds[-1].choice)

    @property
    def done(self) -> Tuple[Done, ...]:
        """The finished rounds."""
        return tuple(self._done(record) for record in self._state.steps)

    @property
    def is_over(self) -> bool:
        """Whether the last round is not good enough."""
        return bool(self.done) and not self._is_good(self.done[-1])

    def result(self) -> Result:
        """The rounds, and the checkpoint and plan of the last good one."""
        done = self.done
        good = done[:-1] if self.is_over else done
        if not good:
            return Result(done, self._start, None)
        return Result(done, good[-1].checkpoint, self._plan_of(len(good)))

    def round(self, wanted: Round) -> Done:
        """Prunes, trains and evaluates; skips steps that an earlier run finished."""
        number = len(self._state.steps) + 1
        source = self.done[-1].checkpoint if self.done else self._start
        plan = self._plan(number, source, wanted)
        pruned = self._path(number, PRUNED)
        if not os.path.exists(f'{pruned}.index'):
            self._chooser.write(pruned, source, plan)
        logging.info(
            'Round %d: %d of %d channels are pruned',
            number,
            plan.removed_count,
            plan.channel_count,
        )
        pruned_metrics = self._evaluate_pruned(number, pruned)
        estimator = self._train(number, pruned, plan, wanted.steps)
        cost = self._chooser.cost(plan)
        found = Done(
            steps=wanted.steps,
            removed=plan.removed_count,
            kept=plan.kept_count,
            parameters=cost.parameters,
            macs=cost.macs,
            checkpoint=estimator.latest_checkpoint(),
            pruned_metrics=pruned_metrics,
            metrics=self._evaluate(estimator),
        )
        self._finish(number, found)
        return found

    def _plan(self, number: int, source: str, wanted: Round) -> Plan:
        """The plan of a round, which an earlier run may have made."""
        path = self._path(number, PLAN_FILE)
        if not os.path.exists(path):
            before = self._plan_of(number - 1) if number > 1 else None
            plan = self._chooser.choose(source, wanted.choice, before)
            gone = before.removed_count if before else 0
            if plan.removed_count == gone:
                logging.warning(
                    'Round %d removes no channels besides the %d that are gone '
                    'already: its training only goes on.',
                    number,
                    gone,
                )
            plan_json.save_plan(plan, path)
        return self._plan_of(number)

    def _plan_of(self, number: int) -> Plan:
        return plan_json.load_plan(self._path(number, PLAN_FILE))

    def _train(
        self, number: int, pruned: str, plan: Plan, steps: int
    ) -> tf.estimator.Estimator:
        # The given checkpoint may be of another optimizer, or stripped of its slots.
        goes_on = self._options.keep_optimizer and number > 1
        start = int(Checkpoint(pruned)[GLOBAL_STEP]) if goes_on else 0
        warm_start = warm_start_settings(pruned, goes_on, goes_on)
        estimator = self._recipe.estimator(self._path(number, TRAINED), warm_start)
        hooks = [PruningHook(plan, HOLD)]
        estimator.train(self._recipe.input_fn, hooks, max_steps=start + steps)
        return estimator

    def _evaluate_pruned(self, number: int, pruned: str) -> Dict[str, float]:
        given = self._recipe.eval_input_fn
        if given is None or not self._options.evaluate_pruned:
            return {}
        estimator = self._recipe.estimator(self._path(number, TRAINED))
        try:
            found = estimator.evaluate(given, checkpoint_path=pruned, name='pruned')
        except tf.errors.NotFoundError as error:
            # Such as the slots, which a model_fn may make in evaluation, too.
            lines = error.message.split('\n')
            reason = next((line for line in lines if 'not found' in line), lines[0])
            logging.warning('Round %d is not evaluated untrained: %s', number, reason)
            return {}
        logging.info('Round %d, pruned and not trained yet: %s', number, found)
        return _as_floats(found)

    def _evaluate(self, estimator: tf.estimator.Estimator) -> Dict[str, float]:
        if self._recipe.eval_input_fn is None:
            return {}
        metrics = estimator.evaluate(self._recipe.eval_input_fn)
        wanted = self._options.metric
        if self._options.min_accuracy is not None and wanted not in metrics:
            raise DataError(
                f'The evaluation gives no {wanted!r}, which min_accuracy is about; it '
                f'gives {names.quoted(sorted(metrics))}. Add it to eval_metric_ops, or '
                'name another metric.'
            )
        return _as_floats(metrics)

    def _is_good(self, done: Done) -> bool:
        limit, metric = self._options.min_accuracy, self._options.metric
        if limit is None:
            return True
        if metric not in done.metrics:
            raise DataError(
                f'{self._state_path!r} has no {metric!r} of a round, which '
                'min_accuracy is about. Give another output folder.'
            )
        return done.metrics[metric] >= limit

    def _finish(self, number: int, found: Done) -> None:
        relative = os.path.relpath(found.checkpoint, self._output_dir)
        record = {**dataclasses.asdict(found), 'checkpoint': relative}
        self._state = self._state.with_step(record)
        self._state.save(self._state_path)
        old = number - self._options.keep_rounds
        if old > 0:
            shutil.rmtree(self._path(old), ignore_errors=True)

    def _done(self, record: Mapping[str, Any]) -> Done:
        path = os.path.join(self._output_dir, record['checkpoint'])
        return Done(**{**record, 'checkpoint': path})

    def _path(self, number: int, *parts: str) -> str:
        return os.path.join(self._output_dir, f'round_{number:04d}', *parts)


def _as_floats(metrics: Mapping[str, Any]) -> Dict[str, float]:
    return {key: float(value) for key, value in metrics.items()}


def _settings(checkpoint: str, options: Options, schedule: Schedule) -> Dict[str, Any]:
    """What decides the outcome, as JSON has it."""
    settings = {
        'checkpoint': checkpoint,
        'options': dataclasses.asdict(options),
        'schedule': dataclasses.asdict(schedule)
        if isinstance(schedule, Rounds)
        else 'a function',
    }
    return json.loads(json.dumps(settings))
