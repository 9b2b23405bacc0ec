from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning import plan as plan_lib
from tf1pruning import plan_json
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.channels.groups import Group, Place
from tf1pruning.errors import OptionError, PlanError
from tf1pruning.graph.inference import derivation
from tf1pruning.plan import Cut, GroupPlan, Plan

CUTS = (
    Cut('b/expand/w', 3, 4, 'producer', ((1,), (3,))),
    Cut('b/expand/gamma', 0, 4, 'scale', ((1,), (3,))),
    Cut('b/expand/mean', 0, 4, 'statistic', ((1,), (3,))),
    Cut('fc/w', 0, 8, 'consumer', ((1, 5), (3, 7))),
)
PLAN = Plan(
    fingerprint='0123456789abcdef',
    mode='block',
    channel_multiple=2,
    threshold=0.7,
    groups=(
        GroupPlan('b', 'inverted_residual', 4, (1, 3), 3, True, CUTS),
        GroupPlan('SE1', 'squeeze_excite', 8, (), 0, False, ()),
    ),
)


def a_group(width):
    """A group whose channel c has the positions c and c + width on its consumer."""
    ones = np.arange(width)[:, np.newaxis]
    places = (
        Place('w', 3, width, 'producer', ones),
        Place('beta', 0, width, 'bias', ones),
        Place('fc/w', 0, 2 * width, 'consumer', np.hstack([ones, ones + width])),
    )
    return Group('b', 'plain', np.arange(width) + 1, places, ('conv', 'fc'))


def dense_net(width):
    """Groups and model of two dense layers with `width` channels between them."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3])
        hidden = tf.matmul(x, tf.get_variable('a/w', [3, width]))
        tf.matmul(hidden, tf.get_variable('b/w', [width, 2]), name='output')
        meta_graph = tf.train.export_meta_graph(graph=graph)
    trace = trace_lib.trace(derivation.derive(meta_graph, ('output',)))
    return groups_lib.find_groups(trace), trace.model


# -- JSON --------------------------------------------------------------------------


@pytest.mark.parametrize('threshold', [0.7, None])
def test_a_plan_survives_json(threshold):
    plan = plan_json.from_json(plan_json.to_json(PLAN))
    assert plan == PLAN

    changed = Plan('f', 'filter', 1, threshold, PLAN.groups)
    assert plan_json.from_json(plan_json.to_json(changed)) == changed


def test_a_plan_without_groups_survives_json():
    plan = Plan('f', 'block', 4, None, ())

    assert plan_json.from_json(plan_json.to_json(plan)) == plan


def test_a_saved_plan_is_loaded(tmp_path):
    path = str(tmp_path / 'plan.json')

    plan_json.save_plan(PLAN, path)

    assert plan_json.load_plan(path) == PLAN
    assert [p.name for p in tmp_path.iterdir()] == ['plan.json']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'not JSON'),
        ('{"format": 2', 'not JSON'),
        ('[]', 'not a plan of format 2'),
        ('{"format": 1}', 'not a plan of format 2'),
        ('{"format": 2}', "field 'fingerprint' is missing"),
    ],
)
def test_text_that_is_no_plan_is_refused(text, message):
    with pytest.raises(PlanError, match=message):
        plan_json.from_json(text)


@pytest.mark.parametrize(
    'path',
    [
        ('mode',),
        ('channel_multiple',),
        ('threshold',),
        ('groups',),
        ('groups', 0, 'name'),
        ('groups', 0, 'width'),
        ('groups', 0, 'removed'),
        ('groups', 0, 'wanted'),
        ('groups', 0, 'capped'),
        ('groups', 0, 'cuts'),
        ('groups', 0, 'cuts', 0, 'variable'),
        ('groups', 0, 'cuts', 0, 'axis'),
        ('groups', 0, 'cuts', 0, 'size'),
        ('groups', 0, 'cuts', 0, 'role'),
        ('groups', 0, 'cuts', 0, 'entries'),
    ],
    ids=lambda path: '.'.join(map(str, path)),
)
def test_a_missing_field_is_named(path):
    fields = json.loads(plan_json.to_json(PLAN))
    *parents, last = path
    inner = fields
    for key in parents:
        inner = inner[key]
    del inner[last]

    with pytest.raises(PlanError, match=f"field '{last}' is missing"):
        plan_json.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        (('mode',), 'half', "'half'; expected one of 'block', 'filter'"),
        (('channel_multiple',), 0, 'channel_multiple is 0'),
        (('threshold',), 'high', "field 'threshold' is 'high'; expected a number or N"),
        (('threshold',), float('nan'), 'Plan has threshold nan'),
        (('threshold',), 10**400, "field 'threshold' is larger than any float"),
        (('groups',), 7, "field 'groups' is 7; expected a list of GroupPlans"),
        (('groups', 0), [], r'\[\] is no object with fields'),
        (('groups', 0, 'width'), 'x', "field 'width' is 'x'; expected an integer"),
        (('groups', 0, 'capped'), 1, "field 'capped' is 1; expected True or False"),
        (('groups', 0, 'removed'), [1.5], "field 'removed' is 1.5"),
        (('groups', 0, 'removed'), [3, 1], 'expected each once, in ascending order'),
        (('groups', 0, 'removed'), [1, 1], 'expected each once, in ascending order'),
        (('groups', 0, 'removed'), [1, 4], "Group 'b' has no channel 4"),
        (('groups', 0, 'removed'), [-1, 3], "Group 'b' has no channel -1"),
        (('groups', 0, 'removed'), [0, 1, 2, 3], "'b' would lose all its channels"),
        (('groups', 0, 'cuts', 0, 'axis'), -1, "'b/expand/w' has a negative axis"),
        (('groups', 0, 'cuts', 0, 'entries'), [[1], [-3]], 'negative axis or position'),
        (('groups', 0, 'cuts', 0, 'size'), 3, 'has position 3 on an axis of 3'),
        (('groups', 0, 'cuts', 3, 'entries'), [[1, 5], [5, 7]], "'fc/w' names a posi"),
        (('groups', 0, 'cuts', 0, 'role'), 'maker', "unknown role 'maker'"),
        (('groups', 0, 'cuts', 0, 'entries'), [[1], []], 'channel without position'),
        (('groups', 0, 'cuts', 0, 'entries'), [[1]], "'b' removes 2 channels and has"),
        (('groups', 1, 'name'), 'b', "two groups named 'b'"),
    ],
)
def test_a_bad_field_is_named(path, value, message):
    fields = json.loads(plan_json.to_json(PLAN))
    *parents, last = path
    inner = fields
    for key in parents:
        inner = inner[key]
    inner[last] = value

    with pytest.raises(PlanError, match=message):
        plan_json.from_json(json.dumps(fields))


def test_a_missing_or_binary_file_is_named(tmp_path):
    binary = tmp_path / 'plan.json'
    binary.write_bytes(b'\xff\xfe\x00')

    with pytest.raises(PlanError, match=r'none\.json.*cannot be read'):
        plan_json.load_plan(str(tmp_path / 'none.json'))
    with pytest.raises(PlanError, match=r'plan\.json.*cannot be read'):
        plan_json.load_plan(str(binary))


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / 'plan.json'
    path.write_text(plan_json.to_json(PLAN)[:-20])

    with pytest.raises(PlanError, match=r'plan\.json.*not JSON'):
        plan_json.load_plan(str(path))


# -- what a plan says --------------------------------------------------------------


def test_a_plan_counts_its_channels():
    assert (PLAN.removed_count, PLAN.kept_count) == (2, 10)
    assert PLAN.widths() == {'b': 2, 'SE1': 8}
    assert PLAN.cuts[3].indices == (1, 3, 5, 7)


@pytest.mark.parametrize(
    ('mode', 'zeroed'),
    [
        ('block', ['b/expand/w', 'b/expand/gamma', 'fc/w']),
        ('filter', ['b/expand/w']),
    ],
)
def test_the_mode_tells_what_is_zeroed(mode, zeroed):
    plan = Plan('f', mode, 2, 0.7, PLAN.groups)

    assert [cut.variable for cut in plan.zeroed_cuts] == zeroed


# -- choosing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('width', 'wanted', 'multiple', 'expected'),
    [
        (24, 0, 4, 0),
        (24, 3, 4, 0),
        (24, 4, 4, 4),
        (24, 7, 4, 4),
        (24, 23, 4, 20),
        (24, 24, 4, 20),
        (10, 1, 4, 0),
        (10, 2, 4, 2),
        (10, 5, 4, 2),
        (10, 10, 4, 6),
        (4, 4, 4, 0),
        (3, 3, 4, 0),
        (1, 1, 4, 0),
        (5, 0, 1, 0),
        (5, 3, 1, 3),
        (5, 5, 1, 4),
        (1, 1, 1, 0),
        (0, 0, 1, 0),
    ],
)
def test_widths_are_rounded_up_to_a_multiple(width, wanted, multiple, expected):
    assert plan_lib.removable(width, wanted, multiple) == expected


@pytest.mark.parametrize('multiple', [1, 3, 4, 8])
def test_rounding_never_takes_a_channel_that_was_not_wanted(multiple):
    for width in range(1, 30):
        for wanted in range(width + 1):
            removed = plan_lib.removable(width, wanted, multiple)
            kept = width - removed
            assert removed <= wanted
            assert removed == 0 or (kept % multiple == 0 and kept >= multiple)


def test_cuts_name_every_place_with_its_positions():
    plan = plan_lib.plan_group(a_group(4), [3, 0], 2)

    assert plan.cuts == (
        Cut('w', 3, 4, 'producer', ((0,), (3,))),
        Cut('beta', 0, 4, 'bias', ((0,), (3,))),
        Cut('fc/w', 0, 8, 'consumer', ((0, 4), (3, 7))),
    )


def test_a_group_that_loses_nothing_has_no_cuts():
    assert plan_lib.plan_group(a_group(4), [], 0).cuts == ()


# -- which model it is for ---------------------------------------------------------


def test_the_fingerprint_names_groups_and_shapes():
    groups, model = dense_net(4)
    own = plan_lib.fingerprint(groups, model)
    assert own == plan_lib.fingerprint(*dense_net(4))
    assert own == plan_lib.fingerprint(groups[::-1], model)
    assert own != plan_lib.fingerprint(groups[:1], model)
    assert own != plan_lib.fingerprint(*dense_net(5))


def test_the_fingerprint_tells_how_many_channels_of_a_layer_a_group_has():
    groups, model = dense_net(4)
    part = [dataclasses.replace(g, channels=g.channels[1:]) for g in groups]

    assert plan_lib.fingerprint(part, model) != plan_lib.fingerprint(groups, model)


def dense_plan(width, channels):
    groups, model = dense_net(width)
    planned = plan_lib.plan_group(groups[0], channels, len(channels))
    fingerprint = plan_lib.fingerprint(groups[:1], model)
    return Plan(fingerprint, 'block', 1, 0.5, (planned,))


def test_a_plan_fits_its_own_model_only():
    plan = dense_plan(4, [1, 3])
    plan_lib.check_fits(plan, *dense_net(4))
    with pytest.raises(PlanError, match=f'made for model {plan.fingerprint}.*other'):
        plan_lib.check_fits(plan, *dense_net(5))


def test_groups_that_another_model_lacks_are_named():
    with pytest.raises(PlanError, match="no group 'b', 'SE1'"):
        plan_lib.check_fits(PLAN, *renamed(dense_net(4)))


def renamed(net):
    groups, model = net
    return [dataclasses.replace(g, name=f'other/{g.name}') for g in groups], model


def test_other_places_are_refused():
    plan = dense_plan(4, [1, 3])
    cuts = plan.groups[0].cuts
    moved = dataclasses.replace(cuts[1], entries=((0,), (3,)))
    group = dataclasses.replace(plan.groups[0], cuts=(cuts[0], moved))
    with pytest.raises(PlanError, match="Group 'a' has other places"):
        plan_lib.check_fits(dataclasses.replace(plan, groups=(group,)), *dense_net(4))


def test_another_width_is_refused():
    plan = dense_plan(4, [1, 3])
    group = dataclasses.replace(plan.groups[0], width=5)
    with pytest.raises(PlanError, match="Group 'a' has other places"):
        plan_lib.check_fits(dataclasses.replace(plan, groups=(group,)), *dense_net(4))


def test_places_in_variables_that_the_model_lacks_do_not_count():
    plan = dense_plan(4, [1, 3])
    cuts = plan.groups[0].cuts
    auxiliary = Cut('auxiliary/w', 0, 4, 'consumer', ((1,), (3,)))
    group = dataclasses.replace(plan.groups[0], cuts=(*cuts, auxiliary))
    widened = dataclasses.replace(plan, groups=(group,))
    assert plan_lib.check_fits(widened, *dense_net(4)) is None


# -- options -----------------------------------------------------------------------


@pytest.mark.parametrize(
    'value', [0, 1, 0.0, 1.0, -1, 2, float('nan'), float('inf'), 'x', None, True, [0.5]]
)
def test_a_threshold_outside_0_to_1_is_refused(value):
    with pytest.raises(OptionError, match=r'^Threshold is .*expected a number in \(0'):
        plan_lib.check_threshold(value)


def test_a_threshold_may_be_a_numpy_number():
    found = plan_lib.check_threshold(np.float32(0.5))

    assert (found, type(found)) == (0.5, float)


@pytest.mark.parametrize('value', [0, -4, 1.5, '4', None, True])
def test_a_multiple_below_1_is_refused(value):
    with pytest.raises(OptionError, match=r'^channel_multiple is .*integer >= 1'):
        plan_lib.check_multiple(value)


def test_a_multiple_may_be_a_numpy_integer():
    assert plan_lib.check_multiple(np.int64(8)) == 8
