"""Starts a training from the weights of a checkpoint.

Either `init_fn` for a Scaffold, or `warm_start_settings` for
`tf.estimator.Estimator(warm_start_from=...)`. Both restore weights and moving
statistics; optimizer slots and the global step only if that is asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
)

import tensorflow.compat.v1 as tf
from absl import logging

from tf1pruning import names, optimizer_names, typed, versions
from tf1pruning.ckpt import averages, slots
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import CheckpointError, first_line
from tf1pruning.graph import variables as variables_lib
from tf1pruning.graph.meta_graphs import meta_graph as meta_graph_lib
from tf1pruning.training import graph_variables
from tf1pruning.training.graph_variables import Part, Parts, Shape

GLOBAL_STEP = 'global_step'
SLOT = 'optimizer slot or moving average, not asked for'
OPTIMIZER = 'state of the optimizer, not asked for'
STEP = 'global step, not asked for'
NO_SHAPE = 'its shape is not static'


@dataclasses.dataclass(frozen=True, eq=False)
class WarmStart:
    """Restores variables when a training begins; an `init_fn` of a `tf.train.Scaffold`.

    A Scaffold calls it only where `model_dir` holds no checkpoint yet: an interrupted
    training goes on from its own last one.

    Attributes:
      checkpoint: prefix of the checkpoint.
      restored: checkpoint keys of the variables that are restored.
      skipped: variable of the graph -> why it is not restored.
      restore: op that restores them.
    """

    checkpoint: str
    restored: Tuple[str, ...]
    skipped: Dict[str, str]
    restore: tf.Operation

    def __call__(self, scaffold: tf.train.Scaffold, session: tf.Session) -> None:
        """Restores, and logs what is not.

        Raises:
          CheckpointError: if a data file of the checkpoint is missing or damaged.
        """
        del scaffold  # Part of the signature of an init_fn.
        try:
            session.run(self.restore)
        except (
            tf.errors.DataLossError,
            tf.errors.NotFoundError,
            tf.errors.OutOfRangeError,
        ) as error:
            raise CheckpointError(
                f'Checkpoint {self.checkpoint!r} cannot be read: {first_line(error)}. '
                'Its data file is missing, truncated or damaged.'
            ) from error
        _log(self.checkpoint, len(self.restored), self.skipped)


@typed.checked
def init_fn(
    checkpoint: str,
    variables: Optional[Iterable[Any]] = None,
    with_slots: bool = False,
    with_global_step: bool = False,
    model_dir: str = '',
) -> WarmStart:
    """Restores the variables that exist now when a training begins.

        scaffold = tf.train.Scaffold(init_fn=init_fn('pruned/model.ckpt'))

    Args:
      checkpoint: prefix of the checkpoint to start from.
      variables: what to restore; None: all global variables.
      with_slots: whether optimizer slots, moving averages and other state of the
        optimizer are restored, too. It is made before this is called.
      with_global_step: whether the training counts on from the checkpoint's step.
      model_dir: where the training writes its checkpoints; a warning says if it goes on
        from one of those instead.

    Raises:
      CheckpointError: if the checkpoint cannot be read, lacks a variable or has one of
        another shape or type; names all such variables, and the side that was stripped.
    """
    _warn_of_older(model_dir, checkpoint)
    wanted = list(tf.global_variables() if variables is None else variables)
    parts = graph_variables.by_key(wanted)
    skipped = _skipped(parts, with_slots, with_global_step)
    restored = {key: found for key, found in parts.items() if key not in skipped}
    source = Checkpoint(checkpoint)
    _check(source, restored)
    open_shapes = [v for v in wanted if not v.shape.is_fully_defined()]
    skipped.update({names.node_name(v.name): NO_SHAPE for v in open_shapes})
    restore = _restore_op(source, restored)
    return WarmStart(checkpoint, tuple(restored), skipped, restore)


@typed.checked
def warm_start_settings(
    checkpoint: str,
    with_slots: bool = False,
    with_global_step: bool = False,
    model_dir: str = '',
) -> tf.estimator.WarmStartSettings:
    """Settings for `tf.estimator.Estimator(warm_start_from=...)`.

    A training that starts by them raises CheckpointError if the checkpoint lacks a
    variable of the model, or has one of another shape or type.

    Args:
      checkpoint: prefix of the checkpoint to start from.
      with_slots: see `init_fn`.
      with_global_step: see `init_fn`.
      model_dir: see `init_fn`.

    Raises:
      CheckpointError: if the checkpoint cannot be read, or TensorFlow would not find
        its variables by name.
      WorkflowError: if this TensorFlow has no Estimator.
    """
    _warn_of_older(model_dir, checkpoint)
    source = Checkpoint(checkpoint)
    if source.is_object_based:
        raise CheckpointError(
            f'Checkpoint {checkpoint!r} is object-based (tf.keras, '
            'tf.train.Checkpoint); an Estimator starts from variables by name only. '
            'Use init_fn, or soft-prune it first: what is written has names.'
        )
    skipped: Dict[str, str] = {}
    patterns = []
    if not with_slots:
        skipped.update(_optimizer_state(source.shapes, _weights(source)))
        patterns += [optimizer_names.POWER, optimizer_names.SLOT, optimizer_names.KERAS]
    if not with_global_step:
        skipped.update({key: STEP for key in source if key == GLOBAL_STEP})
        patterns.append(GLOBAL_STEP)
    _log(checkpoint, len(source) - len(skipped), skipped)
    patterns += [re.escape(key) for key in skipped]
    others = rf'(?!({"|".join(patterns)})(/part_\d+)?:0$)' if patterns else ''
    return _settings_class()(checkpoint, [f'{others}.*'])


@functools.lru_cache(maxsize=None)
def _settings_class() -> Any:
    """Class of settings that look at the model when they are used.

    An Estimator takes them apart (`warm_start(*settings)`) when it has built its graph.
    TensorFlow itself would name only the first variable that does not fit.
    """
    base: Any = versions.estimator().WarmStartSettings

    class Settings(base):
        """See `_settings_class`."""

        def __iter__(self) -> Iterator[Any]:
            """The settings, one by one.

            Raises:
              CheckpointError: if the checkpoint does not fit the default graph.
            """
            (pattern,) = self.vars_to_warm_start
            wanted = [v for v in tf.global_variables() if re.match(pattern, v.name)]
            source = Checkpoint(self.ckpt_to_initialize_from)
            _check(source, graph_variables.by_key(wanted))
            return super().__iter__()

    return Settings


def _weights(source: Checkpoint) -> List[str]:
    """Keys of the variables that were trained, or that do not look like slots."""
    if os.path.isfile(source.meta_path):
        meta_graph = meta_graph_lib.read_meta_graph(source.meta_path)
        nodes = meta_graph.graph_def.node
        known = variables_lib.definitions(meta_graph)
        found = variables_lib.find_variables(nodes, known, {})
        return [variable.key for variable in found if variable.trainable]
    return [key for key in source if not optimizer_names.is_slot(key)]


def _skipped(
    parts: Parts,
    with_slots: bool,
    with_global_step: bool,
) -> Dict[str, str]:
    """Variable -> why it is not restored."""
    found: Dict[str, str] = {}
    step = tf.train.get_global_step()
    if step is not None and not with_global_step:
        found.update({k: STEP for k in parts if k == names.node_name(step.name)})
    if not with_slots:
        trainable = graph_variables.by_key(tf.trainable_variables())
        found.update({k: SLOT for k in parts if k.endswith(averages.SUFFIX)})
        found.update(_optimizer_state(graph_variables.shapes_of(parts), trainable))
    return found


def _optimizer_state(
    shapes: Mapping[str, Shape], weights: Collection[str]
) -> Dict[str, str]:
    """Variable of an optimizer -> why it is not restored."""
    found = slots.find_slots(shapes, weights)
    powers = [key for key in shapes if optimizer_names.is_power(key)]
    numbers = optimizer_names.keras_numbers(shapes, weights)
    return {
        **dict.fromkeys(found, SLOT),
        **dict.fromkeys([*powers, *numbers], OPTIMIZER),
    }


def _restore_op(source: Checkpoint, parts: Parts) -> tf.Operation:
    """Reads variables from a checkpoint, into all copies that a strategy has of them.

    A `tf.train.Saver` also builds what saves, which a strategy refuses in a replica.
    """
    with tf.name_scope('warm_start'):
        return tf.group(
            *(
                op
                for key, found in parts.items()
                for part in found
                for op in _restore_ops(source, key, part)
            )
        )


def _restore_ops(source: Checkpoint, key: str, part: Part) -> List[tf.Operation]:
    whole = ' '.join(map(str, part.full_shape))
    slices = ':'.join(f'{at},{n}' for at, n in zip(part.offset, part.shape))
    with tf.device('/cpu:0'):
        (value,) = tf.raw_ops.RestoreV2(
            prefix=source.prefix,
            tensor_names=[source.disk_key(key)],
            shape_and_slices=[f'{whole} {slices}' if slices else ''],
            dtypes=[part.variable.dtype.base_dtype],
        )
    ops = []
    for holder in part.ops:
        with tf.device(holder.device):
            ops.append(graph_variables.write(holder, value))
    return ops


def _warn_of_older(model_dir: str, checkpoint: str) -> None:
    """Warns if a training will go on from its own checkpoint."""
    newest = tf.train.latest_checkpoint(model_dir) if model_dir else None
    if newest is not None:
        logging.warning(
            'No warm start from %s: %r has checkpoints, and training goes on from %s. '
            'Train into a new folder to start from the former.',
            checkpoint,
            model_dir,
            newest,
        )


def _log(checkpoint: str, count: int, skipped: Dict[str, str]) -> None:
    logging.info('Warm start from %s: %d variables', checkpoint, count)
    for why in sorted(set(skipped.values())):
        keys = sorted(key for key in skipped if skipped[key] == why)
        logging.info('Not restored (%s): %s', why, names.quoted(keys, len(keys)))


def _check(checkpoint: Checkpoint, parts: Parts) -> None:
    known, shapes = checkpoint.shapes, graph_variables.shapes_of(parts)
    types = {key: found[0].variable.dtype.base_dtype for key, found in parts.items()}
    missing = sorted(key for key in shapes if key not in known)
    other = sorted(key for key in shapes if known.get(key, shapes[key]) != shapes[key])
    problems = []
    if missing:
        problems.append(f'it has no {names.quoted(missing)}')
    if other:
        differ = [f'{k!r}: expected {shapes[k]}, found {known[k]}' for k in other]
        problems.append('shapes differ, ' + ', '.join(differ))
    retyped = [
        f'{key!r}: expected {types[key].name}, found {checkpoint.dtypes[key].name}'
        for key in sorted(set(types).intersection(known))
        if types[key] != checkpoint.dtypes[key]
    ]
    if retyped:
        problems.append('types differ, ' + ', '.join(retyped))
    if problems:
        sides = frozenset(_narrower(shapes[key], known[key]) for key in other)
        advice = _ADVICE.get(sides, 'Was it made by another model?')
        raise CheckpointError(
            f'Checkpoint {checkpoint.prefix!r} does not fit the model: '
            f'{"; ".join(problems)}. {advice}'
        )


_GRAPH, _CHECKPOINT = 'graph', 'checkpoint'
# Which sides are narrower -> what may have happened.
_ADVICE = {
    frozenset([_GRAPH]): (
        'The model was stripped and the checkpoint was not: start from the stripped '
        'checkpoint.'
    ),
    frozenset([_CHECKPOINT]): (
        'The checkpoint was stripped and the model was not: build the model with the '
        'widths of the plan (Plan.layer_widths).'
    ),
    frozenset([_GRAPH, _CHECKPOINT]): (
        'Each side is narrower somewhere: the two were stripped by different plans, or '
        'one of them by half.'
    ),
}


def _narrower(graph: Shape, checkpoint: Shape) -> str:
    """The side whose shape is smaller along some axes and equal along the others."""
    pairs = list(zip(graph, checkpoint))
    if len(graph) == len(checkpoint) and all(g <= c for g, c in pairs):
        return _GRAPH
    if len(graph) == len(checkpoint) and all(g >= c for g, c in pairs):
        return _CHECKPOINT
    return 'neither'
