"""Tables of widths know which groups matter, and are measured once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.steps.repair_networks import NETWORKS, conv, stem
from tests.steps.test_repairing import FIT, HELD, change, model_of, samples
from tf1pruning.choosing.choice import Limits
from tf1pruning.errors import DataError, OutputError, PlanError
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.scoring.batches import Batches
from tf1pruning.steps import width_files, width_measuring, width_plans
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.steps.repairing import repair_model
from tf1pruning.steps.width_measuring import TableOptions, TableSamples

SAMPLES = TableSamples(FIT, HELD, Batches.of_arrays({'input': samples(16, seed=2)}, 5))
HALF = TableOptions(Limits(multiple=4), (0.5,))
QUARTERS = TableOptions(Limits(multiple=2), (0.25, 0.5, 0.75))


def groups_of(model):
    return [group for group in model.groups if not group.frozen]


def measured(model, options=QUARTERS, given=SAMPLES, **more):
    scorer = ranking_by('l1').scorer(model)
    return width_measuring.measure(
        model, groups_of(model), scorer, given, options, **more
    )


def one_that_matters(x):
    """Half of the channels of `stem` are sums of the others; `matters` has none."""
    with tf.variable_scope('', initializer=tf.random_normal_initializer()):
        matters = tf.nn.relu(conv(x, 1, 8, 'matters'))
        return conv(stem(x), 1, 5, 'one') + conv(10 * matters, 1, 5, 'two')


def two_layers(x):
    return conv(tf.nn.relu(conv(stem(x), 1, 8, 'a')), 1, 5, 'b')


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return model_of(one_that_matters, tmp_path_factory.mktemp('net'))


@pytest.fixture(scope='module')
def table(model):
    return measured(model)


def changes_of(table, name):
    return next(g for g in table.groups if name in g.name).changes


def test_the_table_knows_the_group_that_matters(table):
    for group in table.groups:
        assert [len(entry.removed) for entry in group.entries] == [2, 4, 6]
    assert changes_of(table, 'stem')[2] < 0.01
    assert changes_of(table, 'matters')[2] > 0.05


@pytest.mark.parametrize(
    'name', ['strided', 'channels_first', 'several_readers', 'masked', 'shared_kernel']
)
def test_an_entry_is_the_change_after_the_repair_of_the_group(tmp_path, name):
    model = model_of(NETWORKS[name], tmp_path)
    (group,) = [g for g in groups_of(model) if 'stem' in g.places[0].variable]
    options = dataclasses.replace(QUARTERS, shares=(0.75,))
    scorer = ranking_by('l1').scorer(model)

    table = width_measuring.measure(model, [group], scorer, SAMPLES, options)

    (entry,) = table.groups[0].entries
    planned = width_plans.plan_for_change(model, [group], table, 10.0)
    assert planned.plan.groups[0].removed == entry.removed
    assert len(entry.removed) == 6
    repaired = repair_model(model, planned.plan, FIT, HELD).model
    assert entry.change > 0.05
    assert entry.change == pytest.approx(change(model, repaired), rel=0.02)


def test_layers_with_more_weights_than_samples_are_measured_too(tmp_path):
    model = model_of(NETWORKS['flattened'], tmp_path)
    table = measured(model, HALF)
    assert table.groups[0].entries[0].change < 0.05


# Of the answers to 16 samples.
ANSWERS = 16 * 8 * 8 * 5 * 4


def test_with_little_room_for_files_the_table_is_the_same(model, table):
    options = dataclasses.replace(QUARTERS, repair=RepairOptions(disk=ANSWERS))

    again = measured(model, options)

    for a, b in zip(table.groups, again.groups):
        np.testing.assert_allclose(a.changes, b.changes, rtol=1e-4, atol=1e-6)


def test_answers_that_have_no_room_are_refused(model):
    options = dataclasses.replace(QUARTERS, repair=RepairOptions(disk=ANSWERS - 1))
    with pytest.raises(OutputError, match='fewer samples'):
        measured(model, options)


def test_a_table_is_saved_as_it_is(tmp_path, table):
    path = str(tmp_path / 'widths.json')
    width_files.save(table, path)
    assert width_files.load(path) == table


class Killed(Exception):
    pass


def test_a_table_is_resumed_where_it_ended(tmp_path, model, table):
    path = str(tmp_path / 'widths.json')
    seen = []

    def dies(progress):
        seen.append(progress)
        if progress.done == 4:
            raise Killed

    with pytest.raises(Killed):
        measured(model, path=path, progress=dies)
    kept = width_files.load(path)
    assert [len(group.entries) for group in kept.groups] == [3, 0]
    assert seen[0].total == 6 and seen[0].seconds > 0

    seen.clear()
    again = measured(model, path=path, progress=seen.append)
    assert [(p.done, p.total) for p in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[-1].seconds == 0
    assert again == width_files.load(path)
    for a, b in zip(again.groups, table.groups):
        np.testing.assert_allclose(a.changes, b.changes, rtol=1e-6)

    seen.clear()
    assert measured(model, path=path, progress=seen.append) == again
    assert not seen


def test_more_widths_are_added_to_a_table(tmp_path, model, table):
    path = str(tmp_path / 'widths.json')
    width_files.save(table, path)
    seen = []
    options = dataclasses.replace(QUARTERS, shares=(0.25,))

    found = measured(model, options, path=path, progress=seen.append)

    assert not seen
    assert [[len(e.removed) for e in g.entries] for g in found.groups] == [[2, 6]] * 2


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'model': 'other'}, 'measured with another model'),
        ({'samples': 'other'}, 'measured with other samples'),
        ({'seed': 7}, 'measured with another seed'),
    ],
)
def test_a_table_of_something_else_is_refused(tmp_path, model, table, changes, message):
    path = str(tmp_path / 'widths.json')
    width_files.save(dataclasses.replace(table, **changes), path)
    with pytest.raises(PlanError, match=message):
        measured(model, path=path)


@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda text: text[:-9], 'cannot be read'),
        (lambda text: text.replace('"format": 1', '"format": 2'), 'format 2'),
        (lambda text: text.replace('"seed": 0', '"seed": "a"'), "field 'seed'"),
        (lambda text: text.replace('"width": 8', '"width": 4'), 'ascending'),
        (lambda text: text.replace('"change": ', '"change": -1'), 'at least 0'),
    ],
)
def test_damaged_tables_are_refused(tmp_path, table, damage, message):
    path = tmp_path / 'widths.json'
    width_files.save(table, path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(PlanError, match=message):
        width_files.load(path)


def test_samples_that_are_all_alike_are_refused(model):
    alike = Batches.of_arrays({'input': np.ones([4, 8, 8, 3], np.float32)}, 2)
    with pytest.raises(DataError, match='does not vary'):
        measured(model, HALF, SAMPLES._replace(judged=alike))


def test_outputs_without_a_scale_are_refused(tmp_path):
    def net(x):
        return tf.argmax(two_layers(x), -1)

    with pytest.raises(DataError, match='are integers or text'):
        measured(model_of(net, tmp_path), HALF)


def test_random_ops_draw_the_same_numbers_in_each_trial(tmp_path):
    def net(x):
        y = conv(stem(x), 1, 5)
        return y + 10 * tf.random_normal(tf.shape(y))

    table = measured(model_of(net, tmp_path), HALF)

    assert changes_of(table, 'stem')[1] < 0.01
