"""Carries out a schedule over a training: an Estimator, or a function of one's own.

Each round chooses channels in the newest checkpoint, writes zeros, and trains on from
there. What is gone stays gone. Shapes stay: all rounds train one model, and the result
is stripped afterwards.

`output_dir` holds `state.json`, which lists what is done, and `round_0001/` with
`plan.json`, `pruned/` (the soft-pruned checkpoint) and `trained/` (the folder of the
training). A run that was killed goes on from there when its call is repeated.
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
from tf1pruning.errors import DataError, OptionError
from tf1pruning.plan import Plan
from tf1pruning.schedules.chooser import Chooser
from tf1pruning.schedules.estimator_training import EstimatorTraining, Recipe
from tf1pruning.schedules.function_training import EvalFn, FunctionTraining, TrainFn
from tf1pruning.schedules.model_fn_graph import InputFn
from tf1pruning.schedules.options import Options
from tf1pruning.schedules.schedule import Done, Round, Rounds, Schedule
from tf1pruning.schedules.training import Training
from tf1pruning.training import run_state

STATE_FILE = 'state.json'
PLAN_FILE = 'plan.json'
PRUNED = os.path.join('pruned', 'model.ckpt')
TRAINED = 'trained'
HELD = os.path.join('held', 'model.ckpt')


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


@typed.checked
def prune_finetune(
    model_fn: Optional[Callable[..., Any]] = None,
    input_fn: Optional[InputFn] = None,
    *,
    schedule: Schedule,
    checkpoint: files.Path,
    output_dir: files.Path,
    options: Options = Options(),
    eval_input_fn: Optional[InputFn] = None,
    params: Optional[Mapping[str, Any]] = None,
    config: Any = None,
    train_fn: Optional[TrainFn] = None,
    eval_fn: Optional[EvalFn] = None,
    on_round: Optional[Callable[[Done], None]] = None,
) -> Result:
    """Prunes and trains by a schedule; continues a run that was stopped.

    An Estimator trains a `model_fn`, or `train_fn` trains what the checkpoint's meta
    graph holds, in any way. The zeros of a round are zero when it ends: a hook of the
    Estimator keeps them; where `train_fn` changed some, they are written again. To
    train with them, give its training a `PruningHook` with the policy 'hold' and the
    plan in `plan.json`, which lies beside its folder.

    Args:
      model_fn: as for an Estimator.
      input_fn: training data; takes no arguments. Criteria on data, means and repair
        look at its first batches. With `train_fn` it gives an iterable of batches, each
        a dict from input name to array, and is only for these.
      schedule: how much goes in which round.
      checkpoint: prefix of a trained checkpoint of the model.
      output_dir: for everything that the run writes.
      options: how channels are chosen.
      eval_input_fn: data to evaluate each round on; None: no evaluation.
      params: of the Estimator.
      config: `RunConfig` of the Estimator, without `model_dir`.
      train_fn: in the place of `model_fn`: trains `train_fn(checkpoint, steps, folder)`
        from the prefix of a soft-pruned checkpoint, saves a checkpoint in the folder,
        and returns its prefix, or None for the newest one in the folder. After a kill
        it is called again with the same folder.
      eval_fn: with `train_fn`: prefix of a checkpoint -> metrics; None: no evaluation.
      on_round: called after each round that this call finishes.

    Raises:
      OptionError: on options that do not fit each other or the model, or if the run in
        `output_dir` had others.
      CheckpointError: if the checkpoint is missing, damaged, or of another model, or
        `train_fn` leaves none.
      GraphError: if a scope holds nothing that may be cut, or TensorFlow has no
        Estimator.
      PlanError: if the limits of the schedule do not let so much go.
      VerificationError: if a latency is asked for and the model does not run.
      DataError: if scores are not finite, the evaluation lacks the metric, or the
        state of the run in `output_dir` is damaged.
      OutputError: if the files cannot be written.
    """
    estimator_only = (model_fn, eval_input_fn, params, config)
    paths = os.fspath(checkpoint), os.fspath(output_dir)
    training: Training
    if train_fn is not None:
        if any(each is not None for each in estimator_only):
            raise OptionError(
                'train_fn trains in the place of an Estimator; found also some of '
                'model_fn, eval_input_fn, params and config. Leave those out.'
            )
        training = FunctionTraining(train_fn, eval_fn, input_fn)
    elif model_fn is None or input_fn is None or eval_fn is not None:
        raise OptionError(
            'Nothing trains. Give model_fn and input_fn for an Estimator, or train_fn, '
            'with eval_fn where rounds are evaluated.'
        )
    else:
        recipe = Recipe(model_fn, input_fn, eval_input_fn, params, config)
        training = EstimatorTraining(recipe, _path(paths[1], 1, TRAINED))
    run = _Run(training, *paths, options, schedule)
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
        training: Training,
        checkpoint: str,
        output_dir: str,
        options: Options,
        schedule: Schedule,
    ):
        if options.min_accuracy is not None and not training.is_evaluated:
            raise OptionError(
                'min_accuracy needs an evaluation: give eval_input_fn, or eval_fn with '
                'train_fn.'
            )
        if options.needs_data and not training.has_data:
            raise OptionError(
                'The criterion, mean_replacement or repair looks at data: give '
                'input_fn, which gives batches, input name -> array.'
            )
        self._training = training
        self._start = checkpoint
        self._output_dir = output_dir
        self._options = options
        self._state_path = os.path.join(output_dir, STATE_FILE)
        self._state = run_state.load_or_new(
            self._state_path, _settings(checkpoint, options, schedule), Done
        )
        self._chooser = Chooser(training, checkpoint, options)
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
        trained = self._trained(number, pruned, plan, wanted.steps)
        cost = self._chooser.cost(plan)
        found = Done(
            steps=wanted.steps,
            removed=plan.removed_count,
            kept=plan.kept_count,
            parameters=cost.parameters,
            macs=cost.macs,
            checkpoint=trained,
            pruned_metrics=pruned_metrics,
            metrics=self._evaluate(number, trained),
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

    def _trained(self, number: int, pruned: str, plan: Plan, steps: int) -> str:
        """A trained checkpoint with the zeros of the plan."""
        goes_on = self._options.keep_optimizer and number > 1
        folder = self._path(number, TRAINED)
        found = self._training.train(pruned, plan, steps, folder, goes_on)
        if self._chooser.holds(found, plan):
            return found
        logging.warning(
            'Round %d: the training changed some of the zeros; they are written again.',
            number,
        )
        held = self._path(number, HELD)
        self._chooser.write_zeros(held, found, plan)
        return held

    def _evaluate_pruned(self, number: int, pruned: str) -> Dict[str, float]:
        if not (self._training.is_evaluated and self._options.evaluate_pruned):
            return {}
        folder = self._path(number, TRAINED)
        try:
            found = self._training.evaluate(pruned, folder, 'pruned')
        except tf.errors.NotFoundError as error:
            # Such as the slots, which a model_fn may make in evaluation, too.
            lines = error.message.split('\n')
            reason = next((line for line in lines if 'not found' in line), lines[0])
            logging.warning('Round %d is not evaluated untrained: %s', number, reason)
            return {}
        logging.info('Round %d, pruned and not trained yet: %s', number, found)
        return found

    def _evaluate(self, number: int, trained: str) -> Dict[str, float]:
        if not self._training.is_evaluated:
            return {}
        metrics = self._training.evaluate(trained, self._path(number, TRAINED))
        wanted = self._options.metric
        if self._options.min_accuracy is not None and wanted not in metrics:
            raise DataError(
                f'The evaluation gives no {wanted!r}, which min_accuracy is about; it '
                f'gives {names.quoted(sorted(metrics))}. Add it to eval_metric_ops, or '
                'name another metric.'
            )
        return metrics

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
        return _path(self._output_dir, number, *parts)


def _path(output_dir: str, number: int, *parts: str) -> str:
    return os.path.join(output_dir, f'round_{number:04d}', *parts)


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
