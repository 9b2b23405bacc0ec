"""Writes the files of `Pruning`: one function per step, each file as a whole.

Every function that writes raises OutputError if it cannot.
"""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional, Tuple

import numpy as np
from absl import logging

from tf1pruning import files, plan_json
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.export import training
from tf1pruning.graph.frozen import freeze
from tf1pruning.graph.meta_graphs import meta_graph
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.report import cost, summaries, text
from tf1pruning.steps import soft_pruning, stripping, writing
from tf1pruning.steps.selection import Selection
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.surgery.failure import FailureReport

PARAMS_DIR = 'Pruning_Dict'
PRUNED_DIR = 'Pruned_Dir'
REBUILD_DIR = 'Rebuild_CKPT'
STRIPPED_DIR = 'Stripped_Dir'
EVENTS_DIR = 'events'
PLAN_FILE = 'Pruned_Filters.json'


def write_dictionaries(folder: str, **found: Mapping[str, Any]) -> None:
    """`Pruning_Dict/<name>.json` for each dictionary.

    Raises:
      OutputError: if they cannot be written.
    """
    for name, content in found.items():
        files.write_json(os.path.join(folder, PARAMS_DIR, f'{name}.json'), content)


def write_plan(folder: str, plan: Plan) -> None:
    """`Pruning_Dict/Pruned_Filters.json`.

    Raises:
      OutputError: if it cannot be written.
    """
    plan_json.save_plan(plan, os.path.join(folder, PARAMS_DIR, PLAN_FILE))


def read_plan(folder: str) -> Optional[Plan]:
    """The plan that an earlier run wrote into `folder`, if it did.

    Raises:
      PlanError: if the file is damaged.
    """
    path = os.path.join(folder, PARAMS_DIR, PLAN_FILE)
    return plan_json.load_plan(path) if os.path.exists(path) else None


def write_soft_pruned(folder: str, model: Model, plan: Plan) -> str:
    """`Pruned_Dir/<checkpoint>` with its meta graph, and `Pruned_Filters.txt`.

    Returns:
      Prefix of the checkpoint.

    Raises:
      OutputError: if it would replace its source or cannot be written.
      PlanError: if a cut does not fit the checkpoint.
    """
    prefix = pruned_path(folder, model)
    # It is trained on with its own graph, also where another one was traced.
    meta_path = Checkpoint(model.path).meta_path
    own = model.at(model.path, model.variables, meta_path)
    soft_pruning.write_zeros(prefix, own, plan)
    report = os.path.join(folder, PRUNED_DIR, 'Pruned_Filters.txt')
    files.write_text(report, text.pruned_filters(plan))
    return prefix


def pruned_path(folder: str, model: Model) -> str:
    """Where the soft-pruned checkpoint goes."""
    return os.path.join(folder, PRUNED_DIR, os.path.basename(model.path))


def write_failure(folder: str, report: FailureReport) -> None:
    """`Pruning_Summary.txt` and `summary.json`.

    Raises:
      OutputError: if they cannot be written.
    """
    summary = text.failure_summary(report)
    files.write_text(os.path.join(folder, 'Pruning_Summary.txt'), summary)
    fields = text.failure_json(report)
    files.write_json(os.path.join(folder, 'summary.json'), fields)


def write_events(
    folder: str,
    selection: Selection,
    plan: Plan,
    retrained: Checkpoint,
    norms_before: Mapping[str, np.ndarray],
    scalars: Mapping[str, Optional[float]],
) -> None:
    """`events/`: the run of this threshold step for TensorBoard.

    Raises:
      OutputError: if it cannot be written.
    """
    model, groups = selection.model, list(selection.groups.values())
    shapes = cost.planned_shapes(model.trace, plan.cuts)
    planned = cost.measure(model.trace, shapes, selection.layers)
    step = int(retrained['global_step']) if 'global_step' in retrained else 0
    summaries.write_step(
        os.path.join(folder, EVENTS_DIR),
        step,
        plan,
        {
            'threshold': plan.threshold,
            'pruned_channels': plan.removed_count,
            'kept_channels': plan.kept_count,
            'parameters': planned.parameters,
            'macs': planned.macs,
            'prunable_macs': planned.prunable_macs,
            **scalars,
        },
        norms_before,
        summaries.filter_norms(groups, retrained),
        model.graph.graph_def,
    )


def write_rebuilt(folder: str, model: Model) -> Model:
    """`Rebuild_CKPT/<checkpoint>` with its meta graph, also as text.

    Returns:
      The model, read from the new checkpoint.

    Raises:
      OutputError: if it would replace its source or cannot be written.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    prefix = os.path.join(folder, REBUILD_DIR, os.path.basename(model.path))
    meta = writing.write_network(prefix, model.graph, model.arrays(), model)
    files.write_text(prefix + '.pbtxt', str(meta))
    checkpoint = Checkpoint(prefix)
    return model.at(prefix, checkpoint, checkpoint.meta_path)


def write_training_meta(folder: str, meta_path: str, stripped: StrippedModel) -> None:
    """`Stripped_Dir/training.meta`, unless the graph is damaged or cannot be stripped.

    Then the log says why: the stripped network is complete without it.

    Args:
      folder: output folder.
      meta_path: `.meta` file of the training; nothing is written if it is missing.
      stripped: the stripped network.

    Raises:
      OutputError: if it cannot be written.
    """
    if not os.path.isfile(meta_path):
        return
    path = os.path.join(folder, STRIPPED_DIR, 'training.meta')
    try:
        graph = meta_graph.read_meta_graph(meta_path)
        signatures = stripped.original.signatures
        _, meta = training.stripped_graph(graph, stripped.stripped, signatures)
    except GraphError as error:
        logging.warning('No %s: %s', path, error)
    else:
        files.write_bytes(path, meta.SerializeToString())


def write_stripped(
    folder: str, stripped: StrippedModel, ckpt_path: str = '', pb_path: str = ''
) -> Tuple[str, str]:
    """`Stripped_Dir/`: checkpoint with meta graph, `modify.pb`, `report.json`.

    Args:
      folder: output folder.
      stripped: the stripped network.
      ckpt_path: prefix of the checkpoint, if not below `folder`.
      pb_path: path of the frozen graph, if not below `folder`.

    Returns:
      Prefix of the checkpoint and path of the frozen graph.

    Raises:
      OutputError: if one would replace the source or cannot be written.
      GraphError: if the weights take more than a frozen graph can hold.
    """
    target = os.path.join(folder, STRIPPED_DIR)
    name = os.path.basename(stripped.original.path)
    ckpt_path = ckpt_path or os.path.join(target, name)
    pb_path = pb_path or os.path.join(target, 'modify.pb')
    for path in (pb_path, ckpt_path):
        files.make_folder(os.path.dirname(path) or '.')
    network = stripped.stripped
    writing.write_network(ckpt_path, network.graph, network.arrays, stripped.original)
    freeze.write_frozen(pb_path, stripped.frozen)
    files.write_json(os.path.join(target, 'report.json'), stripping.report(stripped))
    return ckpt_path, pb_path
