"""A clone of a model that trains for some steps, each time from the start.

The training graph is built once, and its variables are set before each training, so
that equal weights end up equal. It trains as its graph says: batch norm normalizes by
the batch, the ops of `tf.GraphKeys.UPDATE_OPS` move its statistics, and dropout drops.
Each step draws the same random numbers in all trainings.

The optimizer is plain gradient descent, which has no state. The graph's own optimizer
has slots that belong to the weights before pruning, and a learning rate that may have
decayed to almost 0.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, sessions
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.errors import DataError, GraphError, OptionError
from tf1pruning.graph import inlining, nodes, unsafe
from tf1pruning.graph.inference import conditionals, repeatable
from tf1pruning.graph.inference import forward as forward_lib
from tf1pruning.graph.inference.branches import Resolver
from tf1pruning.graph.inference.forward import Forward
from tf1pruning.names import TensorRef
from tf1pruning.scoring import running
from tf1pruning.scoring.batches import Batch
from tf1pruning.scoring.loss_model import LossModel
from tf1pruning.sessions import Session
from tf1pruning.surgery import weights

_STEP = 'tf1pruning_step'
_UPDATES = tf.GraphKeys.UPDATE_OPS


@dataclasses.dataclass(frozen=True)
class Steps:
    """How a clone is trained.

    Attributes:
      count: number of batches, at least 1.
      learning_rate: of gradient descent, above 0.
      allow_unsafe: whether the update ops may be such that are not known to be pure.

    Raises:
      OptionError: on numbers out of range.
    """

    count: int
    learning_rate: float
    allow_unsafe: bool = dataclasses.field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise OptionError(
                f'The number of steps is {self.count}; expected at least 1 to train.'
            )
        if not 0 < self.learning_rate < float('inf'):
            raise OptionError(
                f'The learning rate is {self.learning_rate}; expected above 0.'
            )


@dataclasses.dataclass(frozen=True, eq=False)
class _Graph:
    """A training graph; the dictionaries have variable nodes as keys.

    Attributes:
      graph: the graph.
      values: placeholder of a value.
      sets: ops that set all variables to those values.
      reads: tensor of the value.
      masks: where a variable is trained; everywhere by default.
      train: one step, which moves the statistics, too.
    """

    graph: tf.Graph
    values: Dict[str, tf.Tensor]
    sets: List[tf.Operation]
    reads: Dict[str, tf.Tensor]
    masks: Dict[str, tf.Tensor]
    train: tf.Operation


class Clone:
    """The weights of a model after some training steps.

    Args:
      meta_graph: of the training.
      loss_model: of the same graph; its loss is what gets smaller.
      variables: checkpoint key -> array, of all variables of the training.
      steps: how to train.

    Raises:
      GraphError: if the loss cannot be derived, or its training be repeated, or update
        ops are not safe to run.
      CheckpointError: if variables are missing, or not finite.
    """

    def __init__(
        self,
        meta_graph: tf.MetaGraphDef,
        loss_model: LossModel,
        variables: Arrays,
        steps: Steps,
    ):
        self._steps = steps
        forward = _forward(meta_graph, loss_model)
        limits = loss_model.limits
        if not (steps.allow_unsafe or limits.allow_unsafe):
            _check_safe(forward)
        model = forward.model
        self._arrays = weights.model_arrays(model, variables)
        # Flags are no input: they are what they are in training.
        self._flags = {f'{n}:0': not value for n, value in forward.inference.items()}
        inputs = tuple(name for name in model.inputs if name not in forward.inference)
        own = dataclasses.replace(model, inputs=inputs)
        self._loss_model = LossModel(own, loss_model.pipeline)
        self._step = names.claim(_STEP, {node.name for node in model.graph_def.node})
        self._graph = _graph(forward, self._step, steps.learning_rate)
        self._session = Session(self._graph.graph, limits, optimize=True)

    def __call__(
        self,
        batches: Sequence[Batch],
        changed: Mapping[str, np.ndarray],
        free: Mapping[str, np.ndarray],
    ) -> Dict[str, np.ndarray]:
        """Trains from the weights of the checkpoint, some of them changed.

        Args:
          batches: one per step, and again from the first when they end.
          changed: variable node -> array to begin with; others are unchanged.
          free: variable node -> boolean array of its shape, False where a weight is not
            trained and a zero stays zero.

        Returns:
          Variable node -> array after the steps.

        Raises:
          DataError: if the data does not fit the loss, or the training diverges.
        """
        graph = self._graph
        begin = {v: changed.get(n, self._arrays[n]) for n, v in graph.values.items()}
        self._run(graph.sets, begin)
        held = {graph.masks[n]: mask for n, mask in free.items() if n in graph.masks}
        for number in range(self._steps.count):
            batch = batches[number % len(batches)]
            feeds, _ = running.feeds_of(self._loss_model, batch)
            step = {f'{self._step}:0': number}
            self._run(graph.train, {**self._flags, **feeds, **held, **step})
        read = self._run(graph.reads, {})
        found = {node: nodes.calculable(array) for node, array in read.items()}
        self._check_finite(found)
        return found

    def _run(self, fetches: Any, feeds: Mapping[Any, Any]) -> Any:
        try:
            return self._session.run(fetches, feeds)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise DataError(f'The loss does not train on the data: {error}') from error

    def _check_finite(self, found: Mapping[str, np.ndarray]) -> None:
        floats = {n: a for n, a in found.items() if a.dtype.kind == 'f'}
        bad = [n for n, array in floats.items() if not np.isfinite(array).all()]
        if bad:
            raise DataError(
                f'After {self._steps.count} training steps there are NaN or infinite '
                f'values in {names.quoted(bad, 3)}. Give a learning rate below '
                f'{self._steps.learning_rate:g}.',
                options=('learning_rate',),
            )


def _forward(meta_graph: tf.MetaGraphDef, loss_model: LossModel) -> Forward:
    """The loss as it is trained, without function calls."""
    inlined = inlining.inline(meta_graph.graph_def)
    whole = tf.MetaGraphDef()
    whole.CopyFrom(meta_graph)
    whole.graph_def.CopyFrom(inlined.graph_def)
    pipeline = loss_model.pipeline.items()
    inputs = {inlined.renamed(tensor): name for name, tensor in pipeline}
    return forward_lib.forward_graph(whole, [loss_model.loss], inputs)


def _check_safe(forward: Forward) -> None:
    updates = [names.node_name(n) for n in forward.collections[_UPDATES]]
    starts = [*updates, *forward.model.outputs]
    found = unsafe.find_impure(forward.model.graph_def, starts)
    sessions.refuse(
        'The loss or the update ops of the training depend',
        found,
        'Train no steps',
        options=('steps',),
    )


def _decided(forward: Forward, step: str) -> Tuple[Forward, List[str]]:
    """The graph with the branches that training takes, and its update ops.

    Outside of the program that made it, no conditional that reads a variable can be
    derived.
    """
    flags = {name: not value for name, value in forward.inference.items()}
    resolver = Resolver(forward.model.view(), flags)
    graph_def = conditionals.with_reads_outside(resolver.result())
    fixed = repeatable.repeatable(graph_def, step)
    model = dataclasses.replace(forward.model, graph_def=fixed)
    updates = [names.node_name(n) for n in forward.collections[_UPDATES]]
    alive = [name for name in updates if resolver.is_alive(TensorRef(name, 0))]
    return dataclasses.replace(forward, model=model), alive


def _graph(forward: Forward, step: str, learning_rate: float) -> _Graph:
    decided, updates = _decided(forward, step)
    with tf.Graph().as_default() as graph:
        meta_graph = forward_lib.build_meta_graph(decided)
        tf.train.import_meta_graph(meta_graph, clear_devices=True)
        present = {v.op.name: v for v in tf.global_variables()}
        values = {
            n: tf.placeholder(v.dtype.base_dtype, v.shape) for n, v in present.items()
        }
        optimizer = tf.train.GradientDescentOptimizer(learning_rate)
        gradients = _gradients(optimizer, decided.model.outputs[0])
        masks = {
            v.op.name: tf.placeholder_with_default(True, None) for _, v in gradients
        }
        with tf.control_dependencies(map(graph.get_operation_by_name, updates)):
            train = optimizer.apply_gradients(
                (tf.where_v2(masks[v.op.name], g, tf.zeros_like(g)), v)
                for g, v in gradients
            )
        sets = [v.assign(values[n], read_value=False) for n, v in present.items()]
        reads = {n: v.read_value() for n, v in present.items()}
    return _Graph(graph, values, sets, reads, masks, train)


def _gradients(
    optimizer: tf.train.Optimizer, loss: str
) -> List[Tuple[tf.Tensor, tf.Variable]]:
    """Derivatives of a loss by the trainable variables that it depends on."""
    tensor = tf.get_default_graph().get_tensor_by_name(f'{loss}:0')
    variables = tf.trainable_variables()
    try:
        # Else a variable may be written while another derivative still reads it.
        gate = optimizer.GATE_GRAPH
        found = (
            optimizer.compute_gradients(tensor, variables, gate) if variables else []
        )
    # A loop without its Python context, which a graph does not hold, lacks attributes.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise GraphError(
            f'The loss {loss!r} has no gradient in an imported graph (loops never '
            f'have): {error}. Train no steps.',
            options=('steps',),
        ) from error
    known = [(tf.convert_to_tensor(g), v) for g, v in found if g is not None]
    if not known:
        raise GraphError(
            f'The loss {loss!r} depends on no trainable variable: no step can change '
            'it. Name another loss.',
            options=('loss',),
        )
    return known
