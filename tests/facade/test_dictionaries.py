from __future__ import annotations

import types

import pytest

from tests import networks
from tests.studies import trained
from tests.surgery import nets
from tf1pruning.channels import select
from tf1pruning.errors import GraphError
from tf1pruning.facade import dictionaries
from tf1pruning.steps.selection import Selection

BLOCK, GATE = trained.BLOCK, trained.GATE


@pytest.fixture
def net():
    return nets.net_of(networks.inverted_residual_net())


def selected(net, scopes):
    return Selection(net, select.groups_in_scopes(net.groups, scopes))


def state(net, scopes, plan=None):
    selection = selected(net, scopes)
    return types.SimpleNamespace(
        trained=selection, rebuilt=selection, plan=plan, strip_plan=plan
    )


def keys(net, scopes):
    return list(selected(net, scopes).groups)


@pytest.mark.parametrize(
    ('scopes', 'expected'),
    [
        ([''], [BLOCK, GATE]),
        (['SE1', BLOCK + '/'], ['SE1', BLOCK + '/']),
        (['net'], ['net']),
        (['expanded_conv_1'], ['expanded_conv_1']),
        (['SE1', ''], ['SE1', '']),
    ],
)
def test_a_key_is_the_scope_or_the_group_where_a_scope_holds_several(
    net, scopes, expected
):
    assert keys(net, scopes) == expected


def test_a_scope_ends_at_a_slash():
    net = nets.net_of(trained.gates('SE1', 'SE10', 'body/SE1'))

    assert keys(net, ['SE10']) == ['SE10']
    assert keys(net, ['SE1']) == ['SE1', 'body/SE1']
    with pytest.raises(GraphError, match=r"Scope 'SE' matches nothing.*'SE1'"):
        keys(net, ['SE'])


def test_blocks_are_found_whatever_they_are_called():
    net = nets.net_of(trained.gates('x', 'deep/down/y'))

    assert keys(net, ['']) == ['x', 'deep/down/y']


def test_the_views_of_a_selection(net):
    found = state(net, ['SE1', BLOCK + '/'])

    assert dictionaries.scope_conv(found) == {
        'SE1': ['SE1/reduce/Conv2D', 'SE1/expand/Conv2D'],
        BLOCK + '/': [
            f'{BLOCK}/expand/conv/Conv2D',
            f'{BLOCK}/depthwise/depthwise',
            f'{BLOCK}/project/conv/Conv2D',
        ],
    }
    assert dictionaries.conv_vars(found) == {
        'SE1/reduce/Conv2D': 'SE1/reduce/kernel:0',
        'SE1/expand/Conv2D': 'SE1/expand/kernel:0',
        f'{BLOCK}/expand/conv/Conv2D': f'{BLOCK}/expand/conv/kernel:0',
        f'{BLOCK}/depthwise/depthwise': f'{BLOCK}/depthwise/weights:0',
        f'{BLOCK}/project/conv/Conv2D': f'{BLOCK}/project/conv/kernel:0',
    }


def test_the_vectors_behind_each_layer(net):
    found = state(net, [''])

    def batch_norm(layer):
        members = ('gamma', 'beta', 'moving_mean', 'moving_variance')
        return [f'{BLOCK}/{layer}/BatchNorm/{member}:0' for member in members]

    assert dictionaries.bias_vars(found) == {
        f'{BLOCK}/expand/conv/Conv2D': batch_norm('expand'),
        f'{BLOCK}/depthwise/depthwise': batch_norm('depthwise'),
        f'{BLOCK}/project/conv/Conv2D': [],
        'SE1/reduce/Conv2D': ['SE1/reduce/bias:0'],
        'SE1/expand/Conv2D': [],
    }


def test_the_views_of_a_plan(net):
    plan = net.plan({'SE1': [2, 0], BLOCK: []})
    found = state(net, ['SE1', BLOCK], plan)

    assert dictionaries.pruning_filters(found) == {'SE1': [0, 2], BLOCK: []}
    assert dictionaries.strip_nodes(found) == {
        'SE1': ['SE1/reduce/Conv2D', 'SE1/expand/Conv2D']
    }
    assert dictionaries.strip_vars(found) == {
        'SE1/reduce/kernel': {'3': [0, 2]},
        'SE1/reduce/bias': {'0': [0, 2]},
        'SE1/expand/kernel': {'2': [0, 2]},
    }
