"""The heart: a soft-pruned network and the stripped one give the same answers.

For every op rule and kind of variable, with random batch-norm statistics. Both must
also differ from the unpruned network, or the comparison would prove nothing.
"""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import by_version, networks
from tests.channels import cases, families
from tf1pruning import plan as plan_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.graph.inference_graph import InferenceGraph

# The networks of the rows are built and traced once, on one worker.
pytestmark = pytest.mark.xdist_group('families')

# Read by no network that runs on a CPU, or made by no version of TF 1.15.
NOT_RUN = frozenset(('BiasAddV1', 'FusedBatchNorm', 'FusedBatchNormV2', 'Variable'))
# No input for them but the one that the model ends in.
SOURCES = frozenset(('PlaceholderWithDefault',))

BY_NAME = pytest.mark.parametrize('row', families.FAMILIES, ids=str)
KIND = {False: 'ref', True: 'res'}
BY_VARIABLE = pytest.mark.parametrize('resource', KIND, ids=KIND.get)


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference over the largest magnitude of what was expected."""
    return np.abs(found - expected).max() / np.abs(expected).max()


def size(arrays: Mapping[str, np.ndarray]) -> int:
    return sum(array.size for array in arrays.values())


def assert_stripped_gives_the_answers_of_soft_pruned(case, arrays, stripped):
    expected = case.outputs(case.model, arrays)
    found = case.outputs(stripped.graph, stripped.arrays)
    unpruned = cases.unpruned_outputs(case)

    assert difference(found, expected) <= 1e-5
    assert difference(unpruned, expected) > 1e-3
    assert difference(unpruned, found) > 1e-3


@pytest.mark.parametrize(
    ('row', 'resource'),
    [(row, False) for row in families.FAMILIES]
    + [(row, True) for row in families.OF_VARIABLES],
    ids=lambda value: str(value) if isinstance(value, families.Family) else KIND[value],
)
def test_stripped_gives_the_answers_of_soft_pruned(row, resource):
    case = cases.case_of(families.graph_of(row, resource))
    plan = case.plan(plan_lib.BLOCK)
    arrays = case.soft_pruned(plan)

    stripped = case.strip(arrays, plan)

    assert stripped.kept == ()
    assert stripped.plan.widths() == plan.widths()
    assert size(stripped.arrays) < size(arrays)
    assert_stripped_gives_the_answers_of_soft_pruned(case, arrays, stripped)


@BY_NAME
def test_zero_filters_are_found_without_the_plan(row):
    case = cases.case_of(families.graph_of(row))
    plan = case.plan(plan_lib.BLOCK)
    arrays = case.soft_pruned(plan)

    stripped, expected = case.strip(arrays), case.strip(arrays, plan)

    assert stripped.plan.widths() == plan.widths()
    np.testing.assert_equal(dict(stripped.arrays), dict(expected.arrays))
    assert stripped.graph.graph_def == expected.graph.graph_def


@BY_NAME
def test_constant_channels_fold_into_what_follows_or_stay(row):
    case = cases.case_of(families.graph_of(row))
    plan = case.plan(plan_lib.FILTER)
    arrays = case.soft_pruned(plan)

    stripped = case.strip(arrays, plan)

    stayed = sum(len(kept.channels) for kept in stripped.kept)
    assert stripped.plan.removed_count + stayed == plan.removed_count
    assert stripped.plan.removed_count > 0
    assert_stripped_gives_the_answers_of_soft_pruned(case, arrays, stripped)


@BY_NAME
def test_a_plan_that_removes_nothing_is_the_identity(row):
    case = cases.case_of(families.graph_of(row))
    nothing = plan_lib.fingerprint((), case.model)
    empty = plan_lib.Plan(nothing, plan_lib.BLOCK, 1, None, ())

    stripped = case.strip(case.arrays, empty)

    np.testing.assert_equal(dict(stripped.arrays), case.arrays)
    assert nodes_without_shapes(stripped.graph) == nodes_without_shapes(case.model)


def nodes_without_shapes(model: InferenceGraph) -> Sequence[tf.NodeDef]:
    graph_def = tf.GraphDef()
    graph_def.CopyFrom(model.graph_def)
    for node in graph_def.node:
        node.attr.pop('_output_shapes', None)
    return graph_def.node


@BY_VARIABLE
@pytest.mark.parametrize('activation', sorted(networks.ACTIVATIONS))
def test_a_whole_block_with_squeeze_and_excite(activation, resource):
    graph = networks.inverted_residual_net(resource=resource, activation=activation)
    case = cases.case_of(graph)
    plan = case.plan(plan_lib.BLOCK)
    arrays = case.soft_pruned(plan)

    stripped = case.strip(arrays, plan)

    assert stripped.plan.widths() == {
        'net/Conv/conv': 5,
        'net/expanded_conv_1': 16,
        'SE1': 3,
    }
    assert_stripped_gives_the_answers_of_soft_pruned(case, arrays, stripped)


def test_every_rule_has_a_row():
    covered = {
        node.op
        for row in families.FAMILIES
        for node in cases.case_of(families.graph_of(row)).model.graph_def.node
    }
    resource = families.graph_of(families.FAMILIES[0], resource=True)
    covered |= {node.op for node in resource.as_graph_def().node}

    not_made = by_version.NOT_MADE
    expected = NOT_RUN | SOURCES
    assert trace_lib.RULES.ops() - covered - not_made == expected - not_made
