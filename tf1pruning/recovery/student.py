"""The network that learns: a frozen graph, some of whose constants are trained.

Batch norm keeps its moving statistics, as in inference; so does all else. The optimizer
is Adam.
"""

from __future__ import annotations

from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import losses, sessions
from tf1pruning.errors import GraphError, first_line
from tf1pruning.graph import importing, nodes, walk
from tf1pruning.names import op_types
from tf1pruning.recovery import network as network_lib
from tf1pruning.recovery.change import Change, ChangeMeter
from tf1pruning.recovery.network import Answered
from tf1pruning.scoring import running
from tf1pruning.sessions import STRICT, RunLimits, Session

NUMBERS, LOGITS, PROBABILITIES = KINDS = ('numbers', 'logits', 'probabilities')

_NETWORK = 'network'
_WEIGHTS = 'weights'
# TensorFlow derives loops only where the Python that built them is at hand.
_LOOP_OPS = op_types(
    'Enter Exit For LoopCond NextIteration RefEnter RefExit RefNextIteration '
    'StatelessWhile While'
)
# What `tf.gradients` raises.
_UNDERIVED = (LookupError, ValueError, TypeError, AttributeError, NotImplementedError)


class AnswerLoss(NamedTuple):
    """What the answers should be like.

    Attributes:
      variances: output -> mean squared deviation of the teacher's answers; outputs that
        it lacks do not count.
      kind: 'numbers': the squared difference over the variance counts. 'logits' or
        'probabilities': the divergence of the softmax.
      temperature: of the divergence.
    """

    variances: Mapping[str, float]
    kind: str = NUMBERS
    temperature: float = 1.0

    def of(self, output: str, student: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
        """The loss of one output."""
        if self.kind == NUMBERS:
            difference = losses.squared_difference(student, teacher)
            return difference / self.variances[output]
        if self.kind == PROBABILITIES:
            student, teacher = losses.logits_of(student), losses.logits_of(teacher)
        return losses.divergence(student, teacher, self.temperature)


class Measured(NamedTuple):
    """How far a student is from its teacher.

    Attributes:
      loss: mean over the samples; infinite if answers are not finite.
      change: of the outputs; None if they are not finite.
    """

    loss: float
    change: Optional[Change]

    @property
    def worst(self) -> float:
        """The change of the output that changes most; infinite if not finite."""
        return np.inf if self.change is None else self.change.worst


class Student:
    """A network that learns to answer like a teacher.

    Args:
      frozen: the network.
      trained: names of the Const nodes that are trained.
      outputs: its output nodes.
      loss: of the training.
      limits: of each run.

    Raises:
      GraphError: if the network is not safe to run, or has no gradient.
    """

    def __init__(
        self,
        frozen: tf.GraphDef,
        trained: Sequence[str],
        outputs: Sequence[str],
        loss: AnswerLoss,
        limits: RunLimits = STRICT,
    ):
        sessions.check(frozen, outputs, limits)
        graph_def = network_lib.runnable(frozen)
        self._outputs = tuple(outputs)
        self._start = _values(graph_def, trained)
        with tf.Graph().as_default() as graph:
            self._variables = {n: _variable(a) for n, a in self._start.items()}
            read = {f'{n}:0': v.value() for n, v in self._variables.items()}
            importing.import_into_default(graph_def, _NETWORK, read)
            settled = sessions.settled(graph, limits)
            self._found = [
                graph.get_tensor_by_name(f'{_NETWORK}/{name}:0') for name in outputs
            ]
            self._wanted = [tf.placeholder(t.dtype, t.shape) for t in self._found]
            self._loss = self._total(loss)
            self._rate = tf.placeholder(tf.float32, [])
            pairs = _gradients(self._loss, self._variables)
            optimizer = tf.train.AdamOptimizer(self._rate)
            self._train = optimizer.apply_gradients(pairs.values())
            self._state = {v.op.name: v for v in tf.global_variables()}
        self.trained = tuple(pairs)
        self._session = Session(graph, settled, optimize=True)
        self.reset()

    def __enter__(self) -> Student:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def reset(self) -> None:
        """Goes back to the start."""
        self.set_weights({})

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Starts anew from weights: name of a Const node -> array."""
        arrays = {**self._start, **weights}
        self.restore({self._variables[n].op.name: a for n, a in arrays.items()})

    def weights(self) -> Dict[str, np.ndarray]:
        """Name of each trained Const node -> its value now."""
        return self._session.run({n: self._variables[n] for n in self.trained})

    def state(self) -> Dict[str, np.ndarray]:
        """All that steps change: the weights, and what Adam keeps."""
        return self._session.run(self._state)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` gave; what it lacks starts anew."""
        values = {self._state[n].initializer.inputs[1]: a for n, a in state.items()}
        self._session.run([v.initializer for v in self._state.values()], values)

    def step(self, answered: Answered, rate: float) -> None:
        """Trains on a batch.

        Raises:
          DataError: if the batch does not fit the network.
          GraphError: if it takes too long.
        """
        feeds = {**self._feeds(answered), self._rate: rate}
        running.run_on(self._session, self._train, feeds)

    def measure(self, samples: Iterable[Answered]) -> Measured:
        """Compares the answers with those of the teacher.

        Raises:
          DataError: if the samples do not fit the network.
          GraphError: if it takes too long.
        """
        meter, total, count = ChangeMeter(self._outputs), 0.0, 0
        for answered in samples:
            loss, *found = running.run_on(
                self._session, [self._loss, *self._found], self._feeds(answered)
            )
            meter.update(answered.answers, found)
            size = len(found[0]) if found[0].ndim else 1
            total, count = total + float(loss) * size, count + size
        if not np.isfinite(total):
            return Measured(np.inf, None)
        return Measured(total / count, meter.result())

    def _feeds(self, answered: Answered) -> Dict[Any, np.ndarray]:
        inputs = {f'{_NETWORK}/{name}': a for name, a in answered.feeds.items()}
        return {**inputs, **dict(zip(self._wanted, answered.answers))}

    def _total(self, loss: AnswerLoss) -> tf.Tensor:
        """The mean loss of the outputs that count."""
        found = zip(self._outputs, self._found, self._wanted)
        return tf.add_n(
            [loss.of(n, s, t) for n, s, t in found if n in loss.variances]
        ) / len(loss.variances)


def _variable(array: np.ndarray) -> tf.Variable:
    initial = tf.placeholder(array.dtype, array.shape)
    return tf.Variable(initial, name=_WEIGHTS, use_resource=False)


def _values(
    graph_def: tf.GraphDef, constants: Collection[str]
) -> Dict[str, np.ndarray]:
    wanted = set(constants)
    found = [node for node in graph_def.node if node.name in wanted]
    return {node.name: nodes.constant_value(node) for node in found}


def _gradients(
    loss: tf.Tensor, variables: Mapping[str, tf.Variable]
) -> Dict[str, Tuple[tf.Tensor, tf.Variable]]:
    """Name -> gradient and variable, of those on which the loss depends.

    Raises:
      GraphError: if it has none, or an op between has no derivative.
    """
    _check_no_loops(loss, list(variables.values()))
    try:
        found = tf.gradients(loss, list(variables.values()))
    except _UNDERIVED as error:
        raise GraphError(
            f'The network has no gradient: {_without_scope(first_line(error))}. Name '
            'outputs before that node.',
            options=('output_nodes',),
        ) from error
    if all(gradient is None for gradient in found):
        raise GraphError(
            'The outputs have no derivative by any weight, so nothing can be trained. '
            'Name outputs before what rounds or compares.',
            options=('output_nodes',),
        )
    # Together: no weight changes while the gradient of another one still reads it.
    pairs = zip(variables.items(), tf.tuple(found))
    return {name: (g, v) for (name, v), g in pairs if g is not None}


def _check_no_loops(loss: tf.Tensor, variables: Sequence[tf.Variable]) -> None:
    """Refuses a loop between the weights and the loss."""
    after = walk.reached(
        [v.op for v in variables],
        lambda op: [c for t in op.outputs for c in t.consumers()],
    )
    loops = {op for op in after if op.type in _LOOP_OPS}
    before = walk.reached([loss.op], lambda op: [tensor.op for tensor in op.inputs])
    for op in before:
        if op in loops:
            raise GraphError(
                f'The network cannot be trained through the loop at '
                f'{_without_scope(op.name)!r} ({op.type}). Name outputs before it.',
                options=('output_nodes',),
            )


def _without_scope(text: str) -> str:
    return text.replace(f'{_NETWORK}/', '')
