"""Trainings of the experiments, each an Estimator in a folder of its own."""

from __future__ import annotations

import dataclasses
import os
import shutil
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

import tf1pruning as tp
from demo.datasets import pipelines
from demo.training import classifier
from tf1pruning.channels.groups import Group
from tf1pruning.choosing.scores import Combination, Scorer
from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.scoring.batches import Batches
from tf1pruning.scoring.result import Scores
from tf1pruning.steps import data_scores
from tf1pruning.steps.data_scores import Trained
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.training import regularizers, warm_start
from tf1pruning.training.stripped_graph import import_stripped

BATCH = 128
# (images, whether it is training) -> logits
Network = Callable[[tf.Tensor, bool], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
      steps: batches of `BATCH` images.
      optimizer: a key of `classifier.OPTIMIZERS`.
      learning_rate: at first; it falls to 0 along half a cosine.
      weight_decay: factor of half the sum of the squares of all kernels.
      l1: factor of the sum of their magnitudes.
      lasso: factor of the sum of the L2 norms of all filters but the last layer's.
      biases: whether biases are trained; else they stay at zero.
    """

    steps: int
    optimizer: str
    learning_rate: float
    weight_decay: float = 0.0
    l1: float = 0.0
    lasso: float = 0.0
    biases: bool = True


@dataclasses.dataclass(frozen=True)
class Material:
    """What trainings have in common.

    Attributes:
      dataset: its test images give the accuracy.
      split: its images for training.
      seed: of weights and order.
    """

    dataset: Dataset
    split: Split
    seed: int


@dataclasses.dataclass(frozen=True)
class Stripped:
    """A stripped network, to be trained on.

    Attributes:
      meta: its training meta graph.
      checkpoint: its weights.
    """

    meta: str
    checkpoint: str

    def network(self, images: tf.Tensor, is_training: bool) -> tf.Tensor:
        """Builds it in the default graph, and returns the logits."""
        return import_stripped(self.meta, images, is_training)['output']


def train(
    network: Network,
    material: Material,
    recipe: Recipe,
    folder: str,
    start: str = '',
) -> float:
    """Trains in a folder, from the beginning; what it holds goes.

    Args:
      network: what to train.
      material: to train on.
      recipe: how to train.
      folder: of the training.
      start: checkpoint of the weights to begin with; '': random ones.

    Returns:
      Test accuracy.
    """
    shutil.rmtree(folder, ignore_errors=True)
    estimator = tf.estimator.Estimator(
        model_fn,
        folder,
        config(material, recipe.steps),
        {'network': network, 'recipe': recipe},
        warm_start_from=warm_start.warm_start_settings(start) if start else None,
    )
    dataset, seed = material.dataset, material.seed
    estimator.train(
        pipelines.train_input_fn(dataset, BATCH, seed, split=material.split),
        max_steps=recipe.steps,
    )
    return float(estimator.evaluate(pipelines.eval_input_fn(dataset))['accuracy'])


def accuracy(
    network: Network, dataset: Dataset, split: Split, checkpoint: str
) -> float:
    """Share of the images of a split that a checkpoint of a network gets right."""
    folder = os.path.dirname(checkpoint)
    estimator = tf.estimator.Estimator(model_fn, folder, params={'network': network})
    input_fn = pipelines.eval_input_fn(dataset, split)
    found = estimator.evaluate(input_fn, checkpoint_path=checkpoint)
    return float(found['accuracy'])


def config(material: Material, steps: int) -> tf.estimator.RunConfig:
    """Of a training of so many steps, which saves at its end."""
    return tf.estimator.RunConfig(
        tf_random_seed=material.seed, save_checkpoints_steps=steps
    )


def checkpoint_of(recipe: Recipe, folder: str) -> str:
    """Prefix of the checkpoint that a training leaves in its folder."""
    return os.path.join(folder, f'model.ckpt-{recipe.steps}')


def model_fn(
    features: tf.Tensor, labels: Optional[tf.Tensor], mode: str, params: Dict[str, Any]
) -> tf.estimator.EstimatorSpec:
    """Of a classifier: `params` are the `network` and the `recipe` to train it by."""
    is_training = mode == tf.estimator.ModeKeys.TRAIN
    logits = params['network'](features, is_training)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    if is_training:
        train_op = _train_op(loss, params['recipe'])
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)
    answers = tf.argmax(logits, axis=1, output_type=tf.int32)
    metrics = {'accuracy': tf.metrics.accuracy(labels, answers)}
    return tf.estimator.EstimatorSpec(mode, loss=loss, eval_metric_ops=metrics)


def _train_op(loss: tf.Tensor, recipe: Recipe) -> tf.Operation:
    variables = tf.trainable_variables()
    kernels = [v for v in variables if v.op.name.endswith('weights')]
    trained = [v for v in variables if recipe.biases or 'biases' not in v.op.name]
    loss += recipe.weight_decay * tf.add_n([tf.nn.l2_loss(v) for v in kernels])
    loss += recipe.l1 * tf.add_n([tf.reduce_sum(tf.abs(v)) for v in kernels])
    loss += regularizers.group_lasso(kernels[:-1], recipe.lasso)
    step = tf.train.get_or_create_global_step()
    rate = tf.train.cosine_decay(recipe.learning_rate, step, recipe.steps)
    optimizer = classifier.OPTIMIZERS[recipe.optimizer].make(rate)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return optimizer.minimize(loss, step, var_list=trained)


def strip(soft: Model, plan: Plan, folder: str) -> Stripped:
    """Writes a soft-pruned network without its zeros, to be trained on.

    Args:
      soft: pruned by the plan.
      plan: what goes.
      folder: for the files.
    """
    options = tp.ExportOptions(keep_optimizer=True)
    prefix = tp.save(tp.strip(soft, plan), folder, ['ckpt'], options).written[0].path
    return Stripped(prefix + '.meta', prefix)


def tune(
    soft: Model,
    plan: Plan,
    material: Material,
    recipe: Recipe,
    folder: str,
) -> float:
    """Strips a soft-pruned network into a folder and trains what is left.

    Returns:
      Test accuracy.
    """
    stripped = strip(soft, plan, folder)
    place = os.path.join(folder, 'training')
    return train(stripped.network, material, recipe, place, stripped.checkpoint)


def load(recipe: Recipe, folder: str) -> Trained:
    """The network that a training has left in its folder."""
    return data_scores.with_loss(tp.load(checkpoint_of(recipe, folder), ['output']))


def batches(dataset: Dataset, split: Split, trained: Trained) -> Batches:
    """Images as in tests and labels, in batches of 1000."""
    arrays = pipelines.arrays(dataset, split)
    return Batches.of_arrays(dict(zip(trained.runnable.model.inputs, arrays)), 1000)


def free_groups(trained: Trained) -> Tuple[Group, ...]:
    """The groups that may be cut."""
    return tuple(group for group in trained.model.groups if not group.frozen)


def scorer(
    trained: Trained,
    criterion: str,
    scores: Optional[Scores] = None,
    combination: Combination = Combination(),
    seed: int = 0,
) -> Scorer:
    """Scores by any criterion, with scores for those that look at data."""
    ranking = ranking_by(criterion, None, combination, seed)
    if ranking.needs_data and scores is not None:
        ranking = ranking.with_scores(scores)
    return ranking.scorer(trained.model)


def save_scores(
    trained: Trained,
    material: Material,
    count: int,
    criteria: Sequence[str],
    path: str,
) -> Dict[str, int]:
    """Scores all free groups on the first images for training, into a file.

    Returns:
      How many images it were.
    """
    split = pipelines.part(material.split, 0, count)
    data = batches(material.dataset, split, trained)
    found = data_scores.score_groups(trained, free_groups(trained), data, criteria)
    found.save(path)
    return {'images': count}
