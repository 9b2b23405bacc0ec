"""The files that `Pruning` writes: one function per step, each file as a whole.

Every function that writes raises OutputError if it cannot.
"""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np
from absl import logging
from google.protobuf import text_format

from tf1pruning import files, plan_json
from tf1pruning.ckpt import writer
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import GraphError
from tf1pruning.graph import freeze, meta_graph, signature
from tf1pruning.plan import Plan
from tf1pruning.report import cost, summaries, text
from tf1pruning.surgery import soft, weights
from tf1pruning.surgery.failure import FailureReport
from tf1pruning.workflow import stripping
from tf1pruning.workflow.loading import Source
from tf1pruning.workflow.scoped import Scoped

PARAMS_DIR = 'Pruning_Dict'
PRUNED_DIR = 'Pruned_Dir'
REBUILD_DIR = 'Rebuild_CKPT'
STRIPPED_DIR = 'Stripped_Dir'
EVENTS_DIR = 'events'
PLAN_FILE = 'Pruned_Filters.json'


def write_params(
    folder: str,
    scope_conv: Mapping[str, Any],
    conv_vars: Mapping[str, Any],
    bias_vars: Mapping[str, Any],
) -> None:
    """`Pruning_Dict/{Scope_Conv,Conv_Vars,Bias_Vars}_Dict.json`.

    Raises:
      OutputError: if they cannot be written.
    """
    target = os.path.join(folder, PARAMS_DIR)
    files.write_json(os.path.join(target, 'Scope_Conv_Dict.json'), scope_conv)
    files.write_json(os.path.join(target, 'Conv_Vars_Dict.json'), conv_vars)
    files.write_json(os.path.join(target, 'Bias_Vars_Dict.json'), bias_vars)


def write_plan(folder: str, plan: Plan) -> None:
    """`Pruning_Dict/Pruned_Filters.json`.

    Raises:
      OutputError: if it cannot be written.
    """
    plan_json.save(plan, os.path.join(folder, PARAMS_DIR, PLAN_FILE))


def read_plan(folder: str) -> Optional[Plan]:
    """The plan that an earlier run wrote into `folder`, if it did.

    Raises:
      PlanError: if the file is damaged.
    """
    path = os.path.join(folder, PARAMS_DIR, PLAN_FILE)
    return plan_json.load(path) if os.path.exists(path) else None


def write_soft_pruned(folder: str, source: Source, plan: Plan) -> str:
    """`Pruned_Dir/<checkpoint>` with its meta graph, and `Pruned_Filters.txt`.

    Returns:
      Prefix of the checkpoint.

    Raises:
      OutputError: if it would replace its source or cannot be written.
      GraphError: if the source has no variables.
      PlanError: if a cut does not fit the checkpoint.
    """
    prefix = check_pruned_path(folder, source)
    write_zeros(prefix, source, plan, source.path + '.meta')
    report = os.path.join(folder, PRUNED_DIR, 'Pruned_Filters.txt')
    files.write_text(report, text.pruned_filters(plan))
    return prefix


def check_pruned_path(folder: str, source: Source) -> str:
    """Where the soft-pruned checkpoint goes.

    Raises:
      OutputError: if it would replace the checkpoint that it is made from.
    """
    name = os.path.basename(source.path)
    prefix = os.path.join(folder, PRUNED_DIR, name)
    stripping.check_target(prefix, [source.path])
    return prefix


def write_zeros(prefix: str, source: Source, plan: Plan, meta_path: str) -> None:
    """A soft-pruned checkpoint with a meta graph.

    Args:
      prefix: of the new checkpoint.
      source: what is pruned.
      plan: where the zeros go.
      meta_path: the graph to put beside it, since its shapes still fit; if there is no
        such file, the inference graph with its signature.

    Raises:
      OutputError: if it would replace its source or cannot be written.
      GraphError: if there is nothing to write, since all weights are constants.
      PlanError: if a cut does not fit the checkpoint.
    """
    if not source.variables:
        raise GraphError(
            f'{source.path!r} has no variables, so there is no checkpoint to write '
            'zeros into. tools/strip.py removes what is zero already.'
        )
    stripping.check_target(prefix, [source.path])
    pruned = soft.SoftPruned(
        source.variables, plan, source.weight_keys, source.divisors
    )
    if os.path.exists(meta_path):
        with open(meta_path, 'rb') as file:
            meta = file.read()
    else:
        graph = meta_graph.build_meta_graph(source.model)
        named = signature.signature_def(source.signature, source.model.view())
        graph.signature_def[source.signature.name].CopyFrom(named)
        meta = graph.SerializeToString()
    writer.write_checkpoint(prefix, pruned, meta)


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
    scoped: Scoped,
    plan: Plan,
    retrained: Checkpoint,
    norms_before: Mapping[str, np.ndarray],
    scalars: Mapping[str, Optional[float]],
) -> None:
    """`events/`: the run of this threshold step for TensorBoard.

    Raises:
      OutputError: if it cannot be written.
    """
    source, groups = scoped.source, list(scoped.groups.values())
    shapes = cost.planned_shapes(source.trace, plan)
    planned = cost.measure(source.trace, shapes, scoped.layers)
    step = int(retrained['global_step']) if 'global_step' in retrained else 0
    summaries.write_step(
        os.path.join(folder, EVENTS_DIR),
        step,
        plan,
        {
            'threshold': plan.threshold,
            'pruned_channels': plan.removed,
            'kept_channels': plan.kept,
            'parameters': planned.parameters,
            'macs': planned.macs,
            'prunable_macs': planned.prunable_macs,
            **scalars,
        },
        norms_before,
        summaries.filter_norms(groups, retrained),
        source.model.graph_def,
    )


def write_rebuilt(folder: str, source: Source) -> str:
    """`Rebuild_CKPT/<checkpoint>` with its meta graph, also as text.

    Returns:
      Prefix of the checkpoint.

    Raises:
      OutputError: if it would replace its source or cannot be written.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    name = os.path.basename(source.path)
    prefix = os.path.join(folder, REBUILD_DIR, name)
    stripping.check_target(prefix, [source.path])
    meta = meta_graph.build_meta_graph(source.model)
    arrays = weights.CheckpointArrays(source.model, source.arrays())
    writer.write_checkpoint(prefix, arrays, meta.SerializeToString())
    files.write_text(prefix + '.pbtxt', text_format.MessageToString(meta))
    return prefix


def write_strip_params(
    folder: str, strip_nodes: Mapping[str, Any], strip_vars: Mapping[str, Any]
) -> None:
    """`Pruning_Dict/{Strip_Nodes,Strip_Vars}_Dict.json`.

    Raises:
      OutputError: if they cannot be written.
    """
    target = os.path.join(folder, PARAMS_DIR)
    files.write_json(os.path.join(target, 'Strip_Nodes_Dict.json'), strip_nodes)
    files.write_json(os.path.join(target, 'Strip_Vars_Dict.json'), strip_vars)


def write_training_meta(
    folder: str, meta_path: str, outputs: Sequence[str], result: stripping.Result
) -> None:
    """`Stripped_Dir/training.meta`, unless the graph is damaged or cannot be stripped.

    Then the log says why: the stripped network is complete without it.

    Args:
      folder: output folder.
      meta_path: `.meta` file of the training; nothing is written if it is missing.
      outputs: output node names.
      result: the stripped network.

    Raises:
      OutputError: if it cannot be written.
    """
    if not os.path.isfile(meta_path):
        return
    path = os.path.join(folder, STRIPPED_DIR, 'training.meta')
    try:
        graph = meta_graph.read_meta_graph(meta_path)
        stripping.write_training_meta(result, path, graph, outputs)
    except GraphError as error:
        logging.warning('No %s: %s', path, error)


def write_stripped(
    folder: str,
    source: Source,
    result: stripping.Result,
    ckpt_path: str = '',
    pb_path: str = '',
) -> Tuple[str, str]:
    """`Stripped_Dir/`: checkpoint with meta graph, `modify.pb`, `report.json`.

    Args:
      folder: output folder.
      source: what was stripped.
      result: the stripped network.
      ckpt_path: prefix of the checkpoint, if not below `folder`.
      pb_path: path of the frozen graph, if not below `folder`.

    Returns:
      Prefix of the checkpoint and path of the frozen graph.

    Raises:
      OutputError: if one would replace the source or cannot be written.
      GraphError: if the weights take more than a frozen graph can hold.
    """
    target = os.path.join(folder, STRIPPED_DIR)
    name = os.path.basename(source.path)
    ckpt_path = ckpt_path or os.path.join(target, name)
    pb_path = pb_path or os.path.join(target, 'modify.pb')
    for path in (pb_path, ckpt_path):
        files.make_folder(os.path.dirname(path) or '.')
    stripping.write_checkpoint(result, ckpt_path, source)
    freeze.write_frozen(pb_path, result.frozen)
    report_path = os.path.join(target, 'report.json')
    files.write_json(report_path, stripping.report(result))
    return ckpt_path, pb_path
