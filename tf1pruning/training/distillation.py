"""Trains a network of one's own to answer like a frozen one, inside a model function.

def model_fn(features, labels, mode):
    logits = build(features, mode == tf.estimator.ModeKeys.TRAIN)
    wanted = teacher_answers('unpruned.pb', features, ['output'])
    loss = distillation_loss([logits], [wanted['output']], temperature=2.0)
    ...  # Your optimizer.
"""

from __future__ import annotations

from typing import Dict, Optional, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import files, losses, sessions, typed
from tf1pruning.errors import GraphError, OptionError
from tf1pruning.graph import importing
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.meta_graphs import saved_model
from tf1pruning.sessions import RunLimits
from tf1pruning.training import stripped_graph
from tf1pruning.training.stripped_graph import Features

_SCOPE = 'teacher'
# What of the mean square counts as variance where answers hardly vary in a batch.
_LEAST = 1e-6


@typed.checked
def distillation_loss(
    student_outputs: Sequence[tf.Tensor],
    teacher_outputs: Sequence[tf.Tensor],
    temperature: Optional[float] = None,
) -> tf.Tensor:
    """How far answers are from those of a teacher: a scalar, the mean over outputs.

    Args:
      student_outputs: `[batch, ...]` each; of any float type.
      teacher_outputs: of the same shapes; no gradient flows into them.
      temperature: None: the mean squared difference, over the variance that the
        teacher's answers have in the batch. Else the outputs are logits
        `[..., classes]`, and `T^2 * KL(softmax(teacher / T), softmax(student / T))`
        counts (Hinton et al., arXiv 1503.02531).

    Raises:
      OptionError: if the temperature is not above 0, or the numbers of outputs differ.
    """
    if temperature is not None and not temperature > 0:
        raise OptionError(f'The temperature is {temperature}; expected more than 0.')
    if len(student_outputs) != len(teacher_outputs) or not student_outputs:
        raise OptionError(
            f'There are {len(student_outputs)} outputs of the student and '
            f'{len(teacher_outputs)} of the teacher; expected the same number, above 0.'
        )
    pairs = zip(student_outputs, map(tf.stop_gradient, teacher_outputs))
    found = [_loss(student, teacher, temperature) for student, teacher in pairs]
    return tf.add_n(found) / len(found)


def _loss(
    student: tf.Tensor, teacher: tf.Tensor, temperature: Optional[float]
) -> tf.Tensor:
    if temperature is not None:
        return losses.divergence(student, teacher, temperature)
    wanted = tf.cast(teacher, tf.float32)
    variance = tf.reduce_mean(tf.nn.moments(wanted, axes=[0])[1])
    least = _LEAST * tf.reduce_mean(tf.square(wanted))
    return losses.squared_difference(student, wanted) / tf.maximum(variance, least)


@typed.checked
def teacher_answers(
    path: files.Path,
    features: Features,
    outputs: Sequence[str],
    allow_unsafe: bool = False,
) -> Dict[str, tf.Tensor]:
    """Builds a frozen network in the default graph, under a scope of its own.

    It has no variables, so nothing of it is trained, restored or saved.

    Args:
      path: of the frozen graph (`.pb`), such as the unpruned network's.
      features: what it reads; a dict from input name to tensor, if it has several
        inputs.
      outputs: names of its output nodes.
      allow_unsafe: whether it may have ops that are not known to be pure.

    Returns:
      Output node -> tensor, through which no gradient flows.

    Raises:
      GraphError: if the file is no such graph, is not safe to run, or the features do
        not fit its inputs.
    """
    model = derivation.derive(saved_model.read_frozen(str(path)), outputs)
    if model.variables:
        raise GraphError(
            f'{str(path)!r} has variables, so it is not frozen. `strip` without a plan '
            'writes a frozen graph of a checkpoint or SavedModel.'
        )
    sessions.check(model.graph_def, outputs, RunLimits(allow_unsafe))
    nodes = [model.view().node(name) for name in model.inputs]
    fed = stripped_graph.given_inputs(features, nodes, ())
    graph = tf.get_default_graph()
    scope = graph.unique_name(_SCOPE, mark_as_used=False)
    replaced = {f'{name}:0': tensor for name, tensor in fed.items()}
    importing.import_into_default(model.graph_def, scope, replaced)
    return {
        name: tf.stop_gradient(graph.get_tensor_by_name(f'{scope}/{name}:0'))
        for name in outputs
    }
