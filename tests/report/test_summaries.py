"""The events, read back with TensorBoard's own reader."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from tests.surgery import nets
from tf1pruning.channels.groups import Group, Place
from tf1pruning.errors import OutputError
from tf1pruning.report import summaries

STEP = 1700
BEFORE = {'a': np.array([3.0, 1.0, 0.5, 2.0]), 'SE1': np.array([1.0, 1.0])}
AFTER = {'a': np.array([3.0, 0.0, 0.0, 2.0]), 'SE1': np.array([1.0, 0.0])}


@pytest.fixture
def net():
    return nets.net_of(nets.chain(nets.conv('a', 4), nets.conv('b', 3)))


def write(folder, net, scalars, step=STEP):
    plan = net.plan({'a': [1, 2]})
    graph_def = net.model.graph_def
    summaries.write_step(str(folder), step, plan, scalars, BEFORE, AFTER, graph_def)


def read(folder):
    accumulator = event_accumulator.EventAccumulator(
        str(folder), size_guidance={event_accumulator.HISTOGRAMS: 0}
    )
    return accumulator.Reload()


def test_scalars_are_filed_under_their_step(tmp_path, net):
    write(tmp_path, net, {'threshold': 0.75, 'failure_rate': 0.0, 'accuracy': None})

    events = read(tmp_path)

    tags = events.Tags()['scalars']
    assert tags == ['threshold', 'failure_rate']
    (event,) = events.Scalars('threshold')
    assert (event.step, event.value) == (STEP, 0.75)


@pytest.mark.parametrize(('step', 'last'), [(STEP, STEP), (0, 1)])
def test_the_norms_of_a_group_go_from_before_to_after(tmp_path, net, step, last):
    write(tmp_path, net, {}, step)

    events = read(tmp_path)

    assert events.Tags()['histograms'] == ['filter_norm/a', 'filter_norm/SE1']
    before, after = events.Histograms('filter_norm/a')
    # Two steps: TensorBoard draws no distribution of one.
    assert (before.step, after.step) == (0, last)
    assert before.histogram_value.sum == 6.5
    found = after.histogram_value
    assert (found.min, found.max, found.num) == (0.0, 3.0, 4)
    assert (found.sum, found.sum_squares) == (5.0, 13.0)
    assert sum(found.bucket) == 4


def test_the_group_table_is_a_text(tmp_path, net):
    write(tmp_path, net, {})

    events = read(tmp_path)

    assert events.PluginTagToContent('text') == {'groups': b''}
    (event,) = events.Tensors('groups')
    assert tf.make_ndarray(event.tensor_proto).item().decode() == (
        '| group | kind | channels | pruned | kept | note |\n'
        '| --- | --- | --- | --- | --- | --- |\n'
        '| a | plain | 4 | 2 | 2 |  |'
    )


def test_the_graph_is_there(tmp_path, net):
    write(tmp_path, net, {})

    found = read(tmp_path).Graph()

    assert [n.name for n in found.node] == [n.name for n in net.model.graph_def.node]


@pytest.mark.parametrize('path', ['file', 'file/events'])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, net, path):
    (tmp_path / 'file').write_text('')

    with pytest.raises(OutputError, match=path):
        write(tmp_path / path, net, {})


def test_norms_are_of_the_first_layer_that_makes_the_channels(net):
    kernel = np.zeros([1, 1, 3, 4])
    kernel[0, 0, :, 1] = [1, 2, 2]
    kernel[0, 0, 2, 3] = -5

    found = summaries.filter_norms([net.group('a')], {'a/kernel': kernel})

    np.testing.assert_array_equal(found['a'], [0, 3, 0, 5])


def test_a_channel_of_several_filters_has_the_norm_of_all_their_weights():
    place = Place('a/w', 0, 4, 'producer', np.array([[0, 1], [2, 3]]))
    group = Group('a', 'plain', np.arange(2), (place,), ())

    found = summaries.filter_norms([group], {'a/w': np.array([[3], [4], [0], [2]])})

    np.testing.assert_array_equal(found['a'], [5, 2])


@pytest.mark.parametrize('values', [[2.0, 2.0, 2.0], [0.0], [0.0, 1e-30]])
def test_a_histogram_counts_every_value(values):
    found = summaries.histogram(np.array(values))

    assert (found.num, sum(found.bucket)) == (len(values), len(values))
    assert (found.min, found.max) == (min(values), max(values))
    assert len(found.bucket) == len(found.bucket_limit)
    assert list(found.bucket_limit) == sorted(found.bucket_limit)


def test_accuracy_and_kept_widths_are_filed_under_the_cost(tmp_path, net):
    write(tmp_path, net, {'accuracy': 0.5, 'macs': 12_345})

    events = read(tmp_path)

    (event,) = events.Scalars('accuracy_by_kmacs')
    assert (event.step, event.value) == (12, 0.5)
    (event,) = events.Scalars('kept_width_by_kmacs/a')
    assert (event.step, event.value) == (12, 2)
    (event,) = events.Scalars('accuracy')
    assert (event.step, event.value) == (STEP, 0.5)


def test_the_charts_name_tags_that_are_there(tmp_path, net):
    scalars = {'accuracy': 0.5, 'macs': 9, 'failure_rate': 0.0}
    write(tmp_path, net, scalars)

    events = read(tmp_path)

    (event,) = events.Tensors('custom_scalars__config__')
    layout = layout_pb2.Layout.FromString(tf.make_ndarray(event.tensor_proto).item())
    (category,) = layout.category
    tags = events.Tags()['scalars']
    found = {
        chart.title: [tag for tag in tags if re.match(chart.multiline.tag[0], tag)]
        for chart in category.chart
    }
    assert found == {
        'accuracy against MACs (step: thousands of MACs)': ['accuracy_by_kmacs'],
        'kept width per group (step: thousands of MACs)': ['kept_width_by_kmacs/a'],
        'failure rate per step': ['failure_rate'],
    }


def test_the_step_is_a_row_of_the_hyperparameters(tmp_path, net):
    write(tmp_path, net, {'accuracy': 0.5})

    found = {
        tag: plugin_data_pb2.HParamsPluginData.FromString(content)
        for tag, content in read(tmp_path).PluginTagToContent('hparams').items()
    }

    start = found['_hparams_/session_start_info'].session_start_info.hparams
    assert start['mode'].string_value == 'block'
    assert start['channel_multiple'].number_value == 1
    experiment = found['_hparams_/experiment'].experiment
    multiple, mode = experiment.hparam_infos
    assert (multiple.name, multiple.type) == (
        'channel_multiple',
        api_pb2.DATA_TYPE_FLOAT64,
    )
    assert (mode.name, mode.type) == ('mode', api_pb2.DATA_TYPE_STRING)
    assert list(mode.domain_discrete) == ['block', 'filter']
    assert 'accuracy' in {i.name.tag for i in experiment.metric_infos}


def test_the_nodes_of_a_group_have_its_colour(tmp_path, net):
    write(tmp_path, net, {})

    devices = {n.name: n.device for n in read(tmp_path).Graph().node}

    assert devices['a/kernel'] == devices['a/Conv2D'] == '/group:a'
    assert devices['b/kernel'] == devices['input'] == ''
