from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.channels import tracing
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import select
from tf1pruning.channels import trace as trace_lib
from tf1pruning.errors import GraphError, OptionError


def gate(x, scope):
    with tf.variable_scope(scope):
        y = tf.reduce_mean(x, [1, 2], keepdims=True)
        y = tf.nn.relu(networks.conv(y, 3, name='squeeze'))
        return x * tf.sigmoid(networks.conv(y, x.shape.as_list()[-1], name='excite'))


def two_gates(x):
    x = gate(networks.conv(x, 8, name='stem'), 'SE1')
    x = gate(x, 'SE10')
    return tf.layers.dense(tf.reduce_mean(x, [1, 2]), 2, name='logits')


@pytest.fixture(scope='module')
def groups():
    return groups_lib.find_groups(tracing.trace_of(two_gates))


def chosen(groups, scopes):
    found = select.groups_in_scopes(groups, scopes)
    return {scope: [g.name for g in members] for scope, members in found.items()}


def test_a_scope_ends_at_a_slash(groups):
    assert chosen(groups, ['SE1']) == {'SE1': ['SE1']}
    assert chosen(groups, ['SE10/']) == {'SE10/': ['SE10']}


def test_the_empty_scope_is_the_whole_model_without_its_plain_layers(groups):
    assert chosen(groups, ['']) == {'': ['SE1', 'SE10']}


def test_a_group_belongs_to_the_first_scope_that_holds_it(groups):
    assert chosen(groups, ['SE10', '']) == {'SE10': ['SE10'], '': ['SE1']}


def test_a_scope_inside_a_top_level_block_is_found():
    graph = networks.inverted_residual_net()
    groups = groups_lib.find_groups(trace_lib.trace(networks.model_of(graph)))

    assert chosen(groups, ['expanded_conv_1', 'SE1']) == {
        'expanded_conv_1': ['net/expanded_conv_1'],
        'SE1': ['SE1'],
    }


def test_a_scope_that_matches_nothing_offers_the_nearest(groups):
    with pytest.raises(GraphError) as caught:
        select.groups_in_scopes(groups, ['SE2'])

    assert "Scope 'SE2' matches nothing" in str(caught.value)
    assert "Nearest names: 'SE1', 'SE10'." in str(caught.value)


def test_a_scope_of_other_layers_says_what_they_are(groups):
    with pytest.raises(GraphError) as caught:
        select.groups_in_scopes(groups, ['stem'])

    assert "it holds channels of kind 'residual'" in str(caught.value)
    assert "Scopes that do: 'SE1', 'SE10'." in str(caught.value)


def test_a_frozen_block_says_why():
    def build(x):
        with tf.variable_scope('SE1'):
            y = tf.reduce_mean(x, [1, 2], keepdims=True)
            y = networks.conv(y, 3, name='squeeze')
            side = tf.reduce_sum(tf.cumprod(y, 1, name='odd'), [1, 2, 3])
            gated = tf.reduce_sum(x * networks.conv(y, 3, name='excite'), [1, 2, 3])
            return side + gated

    groups = groups_lib.find_groups(tracing.trace_of(build))

    with pytest.raises(GraphError) as caught:
        select.groups_in_scopes(groups, ['SE1'])
    assert str(caught.value) == (
        "In scope 'SE1' nothing may be cut: 'SE1' reaches 'SE1/odd': no rule for "
        'Cumprod.'
    )


def test_all_bad_scopes_are_named_at_once(groups):
    with pytest.raises(GraphError) as caught:
        select.groups_in_scopes(groups, ['SE1', 'nothing', 'logits'])

    assert "'nothing'" in str(caught.value)
    assert "'logits'" in str(caught.value)


def test_no_scopes_at_all_is_an_error(groups):
    with pytest.raises(GraphError, match='No scopes are given'):
        select.groups_in_scopes(groups, [])


def test_a_model_without_blocks_says_so():
    groups = groups_lib.find_groups(
        tracing.trace_of(lambda x: tf.layers.dense(tf.layers.flatten(x), 2, name='a'))
    )

    with pytest.raises(GraphError, match=r'The model has no such block\.'):
        select.groups_in_scopes(groups, ['a'])


def by_name(groups):
    return {group.name: group for group in groups if not group.frozen}


@pytest.mark.parametrize(
    ('pattern', 'protected'),
    # The gate multiplies what the stem makes, so both make the same channels.
    [('^SE1$', {'SE1'}), ('^SE1/.*kernel', {'SE1', 'stem'})],
)
def test_a_pattern_protects_by_group_or_producer(groups, pattern, protected):
    known = by_name(groups)

    kept = select.unprotected(known, [pattern])

    assert set(known) - set(kept) == protected


@pytest.mark.parametrize(
    ('patterns', 'message'),
    [
        (['SE1', 'SE2'], "Pattern 'SE2' protects no chosen group. Groups: "),
        (['('], r"Pattern '\(' is not a regular expression"),
        ([''], 'All chosen groups are protected'),
    ],
)
def test_patterns_that_make_no_sense_are_refused(groups, patterns, message):
    with pytest.raises(OptionError, match=message):
        select.unprotected(by_name(groups), patterns)


def test_a_layer_that_is_lost_is_named_before_what_is_an_output():
    trace = tracing.trace_of(
        lambda x: tf.nn.conv2d(
            networks.conv(x, 4, name='a'),
            tf.get_variable('v', [1, 1, 4, 2]) * tf.reduce_mean(x),
            1,
            'SAME',
            name='b',
        )
    )
    groups = groups_lib.find_groups(trace)

    with pytest.raises(GraphError) as caught:
        select.groups_in_scopes(groups, [''], select.ALL, trace.lost)

    assert str(caught.value) == (
        "In the network nothing may be cut: layer 'b' cannot be followed, input 1 that "
        "depends on the input; 'a' reaches 'b': input 1 that depends on the input."
    )
