"""TensorBoard events of one threshold step, in a run of its own."""

from __future__ import annotations

from typing import Dict, Iterable, Mapping, Optional

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import summary_pb2

from tf1pruning import files
from tf1pruning.channels.groups import Group
from tf1pruning.errors import OutputError
from tf1pruning.plan import Plan
from tf1pruning.report import dashboard, text

_BINS = 30


def filter_norms(
    groups: Iterable[Group], checkpoint: Mapping[str, np.ndarray]
) -> Dict[str, np.ndarray]:
    """Group name -> `[width]` L2 norm of each filter in its first producer."""
    norms = {}
    for group in groups:
        place = group.producer
        rows = np.moveaxis(checkpoint[place.variable], place.axis, 0)
        squares = np.square(rows, dtype=np.float64).reshape(len(rows), -1).sum(axis=1)
        norms[group.name] = np.sqrt(squares[place.positions].sum(axis=1))
    return norms


def write_step(
    folder: str,
    step: int,
    plan: Plan,
    scalars: Mapping[str, Optional[float]],
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
    graph_def: tf.GraphDef,
) -> None:
    """Writes the events of one threshold step.

    Args:
      folder: of the run; made if missing.
      step: their global step.
      plan: source of the group table.
      scalars: tag -> value; None values are left out.
      before: group name -> filter norms before soft pruning; their step is 0.
      after: group name -> filter norms after retraining.
      graph_def: the network.

    Raises:
      OutputError: if the folder cannot be written.
    """
    graph = dashboard.coloured(graph_def, plan).SerializeToString()
    macs = int(scalars.get('macs') or 0)
    found = (
        # TensorBoard draws no distribution of a tag that has one step only.
        (0, _norms(before)),
        (max(step, 1), _norms(after)),
        (step, _step_summary(plan, scalars)),
        (macs // dashboard.COST_UNIT, _by_cost(plan, scalars)),
    )
    # FileWriter itself says nothing if a file is in the place of the folder.
    files.make_folder(folder)
    try:
        with tf.Graph().as_default(), tf.summary.FileWriter(folder) as writer:
            writer.add_event(tf.Event(graph_def=graph))
            for setting in (dashboard.layout(), *dashboard.hyperparameters(plan)):
                writer.add_summary(setting)
            for number, summary in found:
                writer.add_summary(summary, number)
    except (OSError, tf.errors.OpError) as error:
        raise OutputError(f'Events cannot be written to {folder!r}: {error}') from error


def _step_summary(plan: Plan, scalars: Mapping[str, Optional[float]]) -> tf.Summary:
    summary = _scalars(scalars)
    table = text.markdown_table(text.GROUP_HEADER, text.group_rows(plan))
    summary.value.add().CopyFrom(text_value('groups', table))
    return summary


def _scalars(values: Mapping[str, Optional[float]]) -> tf.Summary:
    """A summary of the values that are known, by tag."""
    summary = tf.Summary()
    for tag, value in values.items():
        if value is not None:
            summary.value.add(tag=tag, simple_value=value)
    return summary


def _by_cost(plan: Plan, scalars: Mapping[str, Optional[float]]) -> tf.Summary:
    """Accuracy and widths, which get the cost as their step; empty without a cost."""
    if scalars.get('macs') is None:
        return tf.Summary()
    values = {dashboard.ACCURACY_BY_COST: scalars.get('accuracy')}
    for group in plan.groups:
        values[f'{dashboard.WIDTH_BY_COST}/{group.name}'] = group.kept_count
    return _scalars(values)


def _norms(norms: Mapping[str, np.ndarray]) -> tf.Summary:
    summary = tf.Summary()
    for name, values in norms.items():
        summary.value.add(tag=f'filter_norm/{name}', histo=histogram(values))
    return summary


def histogram(values: np.ndarray) -> tf.HistogramProto:
    """A histogram as TensorBoard stores it, with bins of equal width."""
    values = np.asarray(values, np.float64).ravel()
    counts, edges = np.histogram(values, _BINS)
    return tf.HistogramProto(
        min=values.min(),
        max=values.max(),
        num=values.size,
        sum=values.sum(),
        sum_squares=np.square(values).sum(),
        bucket_limit=edges[1:].tolist(),
        bucket=counts.tolist(),
    )


def text_value(tag: str, markdown: str) -> summary_pb2.Summary.Value:
    """A Markdown text for TensorBoard's text tab."""
    value = summary_pb2.Summary.Value(tag=tag)
    value.metadata.plugin_data.plugin_name = 'text'
    value.tensor.CopyFrom(tf.make_tensor_proto(markdown, tf.string))
    return value
