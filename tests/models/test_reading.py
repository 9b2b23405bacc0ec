from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.tools import models
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.averages import Averaged
from tf1pruning.errors import CheckpointError, GraphError, OptionError
from tf1pruning.models import reading
from tf1pruning.models.reading import LoadOptions
from tf1pruning.names import TensorRef
from tf1pruning.steps import budgets, planning


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('models'))
    prefix = models.checkpoint(folder)
    return {
        'meta graph': prefix,
        'saved model': models.saved_model(folder, prefix),
        'frozen': models.frozen(folder, prefix),
    }


def load(path, *texts):
    options = LoadOptions(input_tensors=texts)
    return reading.load(path, ('output',), options)


@pytest.mark.parametrize('kind', ['meta graph', 'saved model', 'frozen'])
def test_every_kind_of_model_is_cut_at_a_tensor(paths, kind):
    source = load(paths[kind], 'SE1/scale=3,8,8,8')

    assert source.graph.inputs == ('SE1/scale',)
    assert source.graph.view().shape(TensorRef('output', 0)) == (3, 5)
    # Only the dense layer is left.
    assert len(source.trace.kernels) == 1


def test_a_fixed_shape_is_in_the_signature_under_its_old_name(paths):
    source = load(paths['saved model'], 'input=1,8,8,3')

    assert source.signature.inputs == (('image', TensorRef('input', 0)),)
    assert source.graph.view().shape(TensorRef('output', 0)) == (1, 5)


def test_the_file_of_a_saved_model_is_told_from_a_frozen_graph(paths):
    with pytest.raises(GraphError, match='For a SavedModel give its folder'):
        load(f'{paths["saved model"]}/saved_model.pb')


def test_a_folder_of_checkpoints_means_its_newest(paths):
    folder = os.path.dirname(paths['meta graph'])

    assert reading.load(folder, ('output',)).path == paths['meta graph']


@pytest.mark.parametrize('kind', ['saved model', 'frozen'])
def test_a_model_with_a_graph_of_its_own_takes_no_other(paths, kind):
    with pytest.raises(OptionError, match='has its own graph'):
        reading.load(paths[kind], ('output',), LoadOptions(meta_path='x.meta'))


def test_an_input_that_the_outputs_do_not_need_is_refused(paths):
    with pytest.raises(GraphError, match='do not depend on'):
        load(paths['frozen'], 'SE1/scale', 'input=1,8,8,3')


@pytest.mark.parametrize('kind', ['frozen', 'saved model'])
def test_only_a_checkpoint_has_a_training_to_go_on_from(paths, kind):
    found = reading.load(paths[kind], ('output',))

    with pytest.raises(OptionError, match='is no checkpoint of a training'):
        found.training_graph()


def test_training_does_not_go_on_from_averages(paths):
    arrays = {name: np.ones([1]) for name in ('w', 'w/ExponentialMovingAverage')}
    averages = Averaged(ArraysInMemory(arrays))
    found = reading.load(paths['meta graph'], ('output',)).with_variables(averages)

    with pytest.raises(OptionError, match='not from their averages'):
        found.training_graph()


def test_the_graph_of_a_training_is_the_one_beside_its_checkpoint(paths):
    graph = reading.load(paths['meta graph'], ('output',)).training_graph()

    assert 'IteratorGetNext' in {node.op for node in graph.graph_def.node}


def test_a_frozen_graph_has_no_moving_averages(paths):
    options = LoadOptions(use_moving_averages=True)

    with pytest.raises(CheckpointError, match='No variable has a moving average'):
        reading.load(paths['frozen'], ('output',), options)


def test_a_saved_model_may_have_no_variables(tmp_path):
    folder = str(tmp_path / 'saved')
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        y = tf.nn.relu(tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), 1, 'SAME'))
        y = tf.nn.conv2d(y, tf.ones([1, 1, 4, 2]), 1, 'SAME')
        tf.saved_model.simple_save(session, folder, {'x': x}, {'y': y})

    source = reading.load(folder)

    assert source.graph.variables == ()
    assert source.arrays() == {}


@pytest.fixture(scope='module')
def parsing(tmp_path_factory):
    """A SavedModel with a signature for serialized examples and one for images."""
    folder = str(tmp_path_factory.mktemp('parsing') / 'saved')
    with tf.Graph().as_default(), tf.Session() as session:
        examples = tf.placeholder(tf.string, [None], 'examples')
        spec = {'x': tf.FixedLenFeature([8, 8, 3], tf.float32)}
        x = tf.parse_example(examples, spec)['x']
        y = tf.identity(tf.nn.conv2d(x, tf.ones([1, 1, 3, 4]), 1, 'SAME'), 'output')
        build = tf.saved_model.predict_signature_def
        signatures = {
            'serving_default': build({'examples': examples}, {'y': y}),
            'images': build({'image': x}, {'y': y}),
        }
        builder = tf.saved_model.builder.SavedModelBuilder(folder)
        builder.add_meta_graph_and_variables(session, ['serve'], signatures)
        builder.save()
    return folder


def test_a_signature_may_feed_tensors_behind_the_placeholders(parsing):
    source = reading.load(parsing, options=LoadOptions(signature='images'))

    (fed,) = source.graph.inputs
    assert source.signature.inputs == (('image', TensorRef(fed, 0)),)
    assert source.signature.gone == ()
    assert source.graph.view().shape(TensorRef(fed, 0)) == (None, 8, 8, 3)


def test_examples_that_are_not_parsed_any_more_are_gone_from_the_signature(parsing):
    source = reading.load(parsing)

    assert [each.name for each in source.signatures] == ['serving_default', 'images']
    assert source.signature.gone == ('examples',)
    # The other one feeds what comes out of the parser, and still does.
    (fed,) = source.graph.inputs
    assert source.signatures[1].inputs == (('image', TensorRef(fed, 0)),)
    assert source.signatures[1].gone == ()


def test_channels_of_constants_count_as_parameters(paths):
    """Frozen or not, the same channels go and the same costs remain."""
    found = []
    for kind in ('meta graph', 'frozen'):
        source = reading.load(paths[kind], ('output',))
        groups = [group for group in source.groups if not group.frozen]
        named = {group.name: [0] for group in groups}
        plan = planning.plan_by_filters(
            source, {g.name: g for g in groups}, named, 1, 'filter'
        )
        found.append(budgets.planned_costs(source, plan))

    (before, after), frozen = found[0], found[1]
    assert after.parameters < before.parameters
    assert frozen == (before, after)


@pytest.mark.parametrize('name', ['a\0b', '\udcff'])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(GraphError, match='cannot be read: The name is not UTF-8'):
        reading.load(name)


def test_a_pipe_in_the_place_of_any_file_is_refused(tmp_path):
    graph = networks.inverted_residual_net()
    for number, part in enumerate(['.index', '.data-00000-of-00001', '.meta']):
        prefix = networks.save(graph, str(tmp_path / str(number) / 'model.ckpt'))
        os.remove(prefix + part)
        os.mkfifo(prefix + part)
        with pytest.raises((CheckpointError, GraphError), match='pipe, socket'):
            reading.load(prefix, ['output'])
    os.mkfifo(str(tmp_path / 'checkpoint'))
    os.mkfifo(str(tmp_path / 'x.pb'))
    for path in (tmp_path, tmp_path / 'x.pb'):
        with pytest.raises((CheckpointError, GraphError), match='pipe, socket'):
            reading.load(str(path))


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('model.keras', r"'model.keras' is a file of Keras\. .*\.export\(folder\)"),
        ('model.h5', r"load_model\('model\.h5'\)"),
        ('model.weights.h5', r'holds the weights of a Keras model without its graph'),
    ],
)
def test_a_file_of_keras_says_how_to_make_a_saved_model(name, message):
    with pytest.raises(GraphError, match=message):
        reading.load(name)
