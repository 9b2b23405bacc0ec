"""Charts, hyperparameters and coloured groups for TensorBoard.

Each threshold step is a run of its own; TensorBoard puts the runs of a log folder into
one set of charts and one table.
"""

from __future__ import annotations

from typing import Collection, Sequence

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.plan import MODES, Plan

# Their step is the cost in thousands of MACs, so that TensorBoard draws them over it.
ACCURACY_BY_COST = 'accuracy_by_kmacs'
WIDTH_BY_COST = 'kept_width_by_kmacs'
COST_UNIT = 1000
_CHARTS = {
    'accuracy against MACs (step: thousands of MACs)': ACCURACY_BY_COST,
    'kept width per group (step: thousands of MACs)': f'^{WIDTH_BY_COST}/',
    'failure rate per step': '^(pruning/)?failure_rate$',
}
METRICS = ('accuracy', 'failure_rate', 'macs', 'parameters')


def layout() -> tf.Summary:
    """The charts of the custom-scalars tab."""
    # Here and below: programs that write no events do not import TensorBoard.
    from tensorboard.plugins.custom_scalar import layout_pb2, summary

    charts = [
        layout_pb2.Chart(
            title=title, multiline=layout_pb2.MultilineChartContent(tag=[tag])
        )
        for title, tag in _CHARTS.items()
    ]
    category = layout_pb2.Category(title='Pruning', chart=charts)
    return summary.pb(layout_pb2.Layout(category=[category]))


def hyperparameters(plan: Plan) -> Sequence[tf.Summary]:
    """The row of one threshold step in the hparams tab, and the table it belongs to."""
    from tensorboard.plugins.hparams import api_pb2, summary

    # The tab of TensorBoard 1.15 shows no text column without a list of its values.
    mode = api_pb2.HParamInfo(name='mode', type=api_pb2.DATA_TYPE_STRING)
    mode.domain_discrete.extend(MODES)
    numbers = {'channel_multiple': float(plan.channel_multiple)}
    if plan.threshold is not None:
        numbers['threshold'] = plan.threshold
    columns = [
        api_pb2.HParamInfo(name=name, type=api_pb2.DATA_TYPE_FLOAT64)
        for name in numbers
    ]
    columns.insert(1, mode)
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in METRICS]
    return (
        summary.experiment_pb(columns, metrics),
        summary.session_start_pb({'mode': plan.mode, **numbers}),
        summary.session_end_pb(api_pb2.STATUS_SUCCESS),
    )


def coloured(graph_def: tf.GraphDef, plan: Plan) -> tf.GraphDef:
    """A graph whose nodes name their group as their device.

    The graph tab gives every device a colour (Color: Device).

    Args:
      graph_def: the network; not changed.
      plan: whose groups are scopes of the network.
    """
    # `block#2` shares the scope of `block`.
    scopes = {group.name.partition('#')[0] for group in plan.groups}
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    for node in result.node:
        scope = _innermost(node.name, scopes)
        if scope:
            node.device = f'/group:{scope}'
    return result


def _innermost(node: str, scopes: Collection[str]) -> str:
    """The longest of some scopes that a node lies in, or ''."""
    scope = node
    while scope and scope not in scopes:
        scope = names.parent_scope(scope)
    return scope
