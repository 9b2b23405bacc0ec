"""Trains a student to answer like its teacher; one seed, one result.

The rate is the one whose short run ends best. A run warms up, then its rate falls along
a cosine. What is kept are the weights that were best on the samples that choose, be
they those of the start.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Dict, Iterator, Mapping, Optional, Tuple

import numpy as np

from tf1pruning import names, typed
from tf1pruning.clock import Clock, Listener
from tf1pruning.errors import DataError, OptionError
from tf1pruning.recovery.lessons import Lessons
from tf1pruning.recovery.run_file import RunFile, TrainingState
from tf1pruning.recovery.student import KINDS, NUMBERS, Measured, Student

# Shares of the steps: of a short run that tries a rate, of the warm-up, between looks
# at the samples that choose.
_TRIAL, _WARM_UP, _LOOK = 0.2, 0.1, 0.05


@typed.checked
@dataclasses.dataclass(frozen=True)
class DistillOptions:
    """How a network is distilled.

    Attributes:
      steps: the most steps of training, after those that choose the rate.
      rates: learning rates of Adam to choose from; of one there is nothing to choose.
      outputs: what the outputs are. 'numbers': their squared difference counts, over
        the variance of the teacher's. 'logits' or 'probabilities' of classes along the
        last axis: their divergence counts.
      temperature: of the divergence; the larger, the more small probabilities count.
      patience: training stops after so many looks at the samples that choose, of 20,
        that found nothing better.
      seed: of the order of the samples.
      disk: bytes that samples and answers may take in temporary files; what does not
        fit is read and answered anew in each pass, in the order of the data.

    Raises:
      OptionError: if a value lies outside its range.
    """

    steps: int = 400
    rates: Tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    outputs: str = NUMBERS
    temperature: float = 1.0
    patience: int = 10
    seed: int = 0
    disk: int = 1 << 32

    def __post_init__(self) -> None:
        object.__setattr__(self, 'rates', tuple(self.rates))
        if self.outputs not in KINDS:
            raise OptionError(
                f'The outputs are {self.outputs!r}; expected one of '
                f'{names.quoted(KINDS)}.',
                options=('outputs',),
            )
        for name, least in (('steps', 1), ('patience', 1), ('seed', 0)):
            if getattr(self, name) < least:
                raise OptionError(
                    f'{name} is {getattr(self, name)}; expected at least {least}.',
                    options=(name,),
                )
        positive = (*self.rates, self.temperature)
        if not self.rates or not all(0 < value < math.inf for value in positive):
            raise OptionError(
                f'The rates are {list(self.rates)} and the temperature is '
                f'{self.temperature}; expected numbers above 0.',
                options=('rates', 'temperature'),
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """What a training found.

    Attributes:
      weights: name of each trained Const node -> the best value.
      before: the student at the start, on the samples that choose.
      after: the same with the best weights.
      rate: that was chosen.
      steps: that were taken with it.
      best_step: after how many of them the weights were best; 0: the start.
      losses: (steps, loss on the samples that choose) of each look.
    """

    weights: Dict[str, np.ndarray] = dataclasses.field(repr=False)
    before: Measured
    after: Measured
    rate: float
    steps: int
    best_step: int
    losses: Tuple[Tuple[int, float], ...] = dataclasses.field(repr=False)


def train(
    student: Student,
    samples: Lessons,
    choose: Lessons,
    options: DistillOptions = DistillOptions(),
    file: Optional[RunFile] = None,
    progress: Optional[Listener] = None,
) -> Trained:
    """Trains a student on samples that its teacher answered.

    Args:
      student: it is trained from its start.
      samples: to train on.
      choose: to choose and to stop by.
      options: how.
      file: where the run is kept, to go on from there; None: nowhere.
      progress: called after each look at the samples that choose.

    Raises:
      DataError: if samples do not fit the student, its first answers are not finite, or
        the file is of another run.
      GraphError: if a step takes too long.
      OutputError: if the file cannot be written.
    """
    run = _Run(student, samples, choose, options, file, progress)
    student.reset()
    before = student.measure(choose.in_order())
    if before.change is None:
        raise DataError('The network is not finite on the samples that choose.')
    state = file.read() if file else None
    if state is None:
        state = TrainingState(best=student.weights(), losses=((0, before.loss),))
    elif file is not None and not _is_possible(state, student, options):
        raise DataError(
            f'{file.path!r} does not hold what this training would have written. '
            'Remove it, or name another file.',
            options=('state',),
        )
    state = run.finished(run.with_rate(state))
    student.set_weights(state.best)
    return Trained(
        weights=dict(state.best),
        before=before,
        after=student.measure(choose.in_order()),
        rate=state.rate,
        steps=state.losses[-1][0],
        best_step=state.best_step,
        losses=state.losses,
    )


def _is_possible(
    state: TrainingState, student: Student, options: DistillOptions
) -> bool:
    """Whether a training can have come to a state."""
    steps = [step for step, _ in state.losses]
    return (
        steps[:1] == [0]
        and steps == sorted(set(steps))
        and steps[-1] <= options.steps
        and len(state.trials) <= len(options.rates)
        and _are_alike(state.best, student.weights())
        and all(np.isfinite(array).all() for array in state.best.values())
        and (steps == [0] or _are_alike(state.arrays, student.state()))
    )


def _are_alike(found: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> bool:
    kinds, others = (
        {name: (array.shape, array.dtype) for name, array in arrays.items()}
        for arrays in (found, own)
    )
    return kinds == others


class _Run:
    """The two parts of a training, each from where its state says it is."""

    def __init__(
        self,
        student: Student,
        samples: Lessons,
        choose: Lessons,
        options: DistillOptions,
        file: Optional[RunFile],
        progress: Optional[Listener],
    ):
        self._student, self._samples, self._choose = student, samples, choose
        self._options, self._file = options, file
        steps = len(options.rates) * trial_steps(options) + options.steps
        self._clock = Clock(progress, 'distillation, step', steps)

    def with_rate(self, state: TrainingState) -> TrainingState:
        """Chooses the rate, by a short run of each."""
        rates, steps = self._options.rates, trial_steps(self._options)
        self._clock.skip(len(state.trials) * steps)
        for number in range(len(state.trials), len(rates)) if steps else ():
            self._student.reset()
            for _ in self._stepped(0, steps, rates[number]):
                self._clock.count()
            found = self._student.measure(self._choose.in_order())
            trials = (*state.trials, found.loss)
            state = self._kept(dataclasses.replace(state, trials=trials))
            self._clock.tell(found.worst)
        best = int(np.argmin(state.trials)) if state.trials else 0
        return dataclasses.replace(state, rate=rates[best])

    def finished(self, state: TrainingState) -> TrainingState:
        """Trains with the rate of the state to the end."""
        student, options = self._student, self._options
        if state.arrays:
            student.restore(state.arrays)
        else:
            student.reset()
        every = max(1, round(options.steps * _LOOK))
        start = state.losses[-1][0]
        self._clock.skip(start)
        steps = (
            ()
            if self._is_stale(state)
            else self._stepped(start, options.steps, state.rate)
        )
        for step in steps:
            self._clock.count()
            if step % every == 0 or step == options.steps:
                state = self._looked(state, step)
                if self._is_stale(state):
                    break
        return state

    def _stepped(self, start: int, steps: int, rate: float) -> Iterator[int]:
        """Takes steps; gives the number of those taken after each."""
        batches = self._samples.drawn(self._options.seed, start)
        for step, answered in zip(range(start, steps), batches):
            self._student.step(answered, rate * share_of_rate(step, steps))
            yield step + 1

    def _looked(self, state: TrainingState, step: int) -> TrainingState:
        found = self._student.measure(self._choose.in_order())
        is_better = found.loss < min(loss for _, loss in state.losses)
        new = self._kept(
            dataclasses.replace(
                state,
                losses=(*state.losses, (step, found.loss)),
                arrays=self._student.state(),
                best=self._student.weights() if is_better else state.best,
            )
        )
        self._clock.tell(found.worst)
        return new

    def _is_stale(self, state: TrainingState) -> bool:
        later = [step for step, _ in state.losses if step > state.best_step]
        return len(later) >= self._options.patience

    def _kept(self, state: TrainingState) -> TrainingState:
        """The state, once it is written."""
        if self._file is not None:
            self._file.write(state)
        return state


def trial_steps(options: DistillOptions) -> int:
    """Steps of each short run that tries a rate; 0 if there is nothing to choose."""
    return math.ceil(options.steps * _TRIAL) if len(options.rates) > 1 else 0


def share_of_rate(step: int, steps: int) -> float:
    """Share of the learning rate at a step: a rise, then the half of a cosine.

    >>> [round(share_of_rate(step, 40), 2) for step in (0, 1, 2, 21, 39)]
    [0.25, 0.5, 0.75, 0.54, 0.0]
    """
    warm = max(1, round(steps * _WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
