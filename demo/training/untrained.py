"""Repairs the pruned network of the demo, instead of training it."""

from __future__ import annotations

import os

import tf1pruning as tp
from demo.datasets import pipelines
from demo.training import frozen
from demo.training.results import UntrainedFigures
from tf1pruning.data.dataset import Dataset
from tf1pruning.graph.frozen import freeze
from tf1pruning.steps import soft_pruning


def measure(
    model: tp.Model, plan: tp.Plan, dataset: Dataset, images: int, folder: str
) -> UntrainedFigures:
    """Prunes a network, and repairs it on training images without their labels.

    Args:
      model: before anything was pruned.
      plan: which channels go.
      dataset: its training images repair, its test images give the accuracies.
      images: how many repair.
      folder: for the frozen graphs `untrained_pruned.pb` and `untrained_repaired.pb`.

    Raises:
      DataError: if an image cannot be read, or there are too few.
      OutputError: if the graphs cannot be written.
    """
    input_fn = pipelines.sample_input_fn(dataset, seed=0)
    samples = tp.samples(model, input_fn, count=images)
    networks = {
        'pruned': soft_pruning.with_zeros(model, plan),
        'repaired': tp.repair(model, plan, samples).model,
    }
    paths = {name: os.path.join(folder, f'untrained_{name}.pb') for name in networks}
    for name, path in paths.items():
        freeze.write_frozen(path, networks[name].frozen())
    models = {name: frozen.load(path) for name, path in paths.items()}
    found = frozen.accuracies(models, pipelines.batches(dataset))
    return UntrainedFigures(samples.count, **found)
