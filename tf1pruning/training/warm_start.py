"""Start a training from the weights of a checkpoint, and from nothing else of it."""

from __future__ import annotations

from typing import Iterable, List, Optional, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError


def warm_start_scaffold(
    checkpoint: str, variables: Optional[Iterable[tf.Variable]] = None
) -> tf.train.Scaffold:
    """A Scaffold that restores the model's variables when a training begins.

    Call it in the model function before the optimizer is made: what exists then is the
    model, with its moving statistics. Optimizer slots are made later and the global
    step is left out, so they start anew. The Scaffold restores only where `model_dir`
    holds no checkpoint yet: an interrupted training goes on from its own last one.

    Args:
      checkpoint: prefix of the checkpoint to start from.
      variables: what to restore; None means all global variables but the global step.

    Raises:
      CheckpointError: if the checkpoint cannot be read, lacks a variable or has one of
        another shape; names all such variables.
    """
    if variables is None:
        global_step = tf.train.get_global_step()
        variables = [v for v in tf.global_variables() if v is not global_step]
    wanted = list(variables)
    _check(Checkpoint(checkpoint), wanted)
    saver = tf.train.Saver(wanted, name='warm_start')

    def restore(scaffold: tf.train.Scaffold, session: tf.Session) -> None:
        del scaffold  # Part of the signature of an init_fn.
        saver.restore(session, checkpoint)

    return tf.train.Scaffold(init_fn=restore)


def _check(checkpoint: Checkpoint, variables: List[tf.Variable]) -> None:
    missing, misshaped = [], []
    for variable in variables:
        key, shape = _key_and_shape(variable)
        found = checkpoint.shapes.get(key)
        if found is None:
            missing.append(key)
        elif found != shape:
            misshaped.append(f'{key!r}: expected {shape}, found {found}')
    problems = []
    if missing:
        problems.append(f'it has no {names.quoted(sorted(set(missing)))}')
    if misshaped:
        problems.append('of another shape are ' + ', '.join(sorted(set(misshaped))))
    if problems:
        raise CheckpointError(
            f'Checkpoint {checkpoint.prefix!r} does not fit the model: '
            f'{"; ".join(problems)}. Was it made by another model?'
        )


def _key_and_shape(variable: tf.Variable) -> Tuple[str, Tuple[int, ...]]:
    """Name and shape in the checkpoint; a part of a variable is saved in the whole."""
    part = variable.to_proto().save_slice_info_def
    if part.full_name:
        return part.full_name, tuple(part.full_shape)
    return variable.op.name, tuple(variable.shape.as_list())
