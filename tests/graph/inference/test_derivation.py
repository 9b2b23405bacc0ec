"""A training graph turned into inference gives what the inference graph gives."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import by_version, networks
from tests.graph.inference.test_dropout import FORMS
from tf1pruning.errors import GraphError
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.names import TensorRef
from tf1pruning.surgery import verify


def meta_of(build):
    """Meta graph of what `build()` makes in a fresh graph."""
    with tf.Graph().as_default() as graph:
        build()
        return tf.train.export_meta_graph(graph=graph)


def answers(model, arrays, image):
    given = {v.node: arrays[v.key] for v in model.variables}
    return verify.run(freeze(model, given), model.outputs, {model.inputs[0]: image})[0]


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('pipeline', [False, True])
@pytest.mark.parametrize('optimizer', [None, 'momentum', 'adam'])
def test_a_training_graph_gives_exactly_the_answers_of_the_inference_graph(
    resource, pipeline, optimizer
):
    training = networks.inverted_residual_net(
        resource=resource, pipeline=pipeline, optimizer=optimizer, is_training=True
    )
    written_for_inference = networks.inverted_residual_net(resource=resource)
    arrays = networks.random_arrays(training)
    image = np.random.RandomState(0).standard_normal([3, 8, 8, 3])

    model = networks.model_of(training)

    assert model.inputs == ('input',)
    expected = answers(networks.model_of(written_for_inference), arrays, image)
    np.testing.assert_array_equal(answers(model, arrays, image), expected)
    assert np.abs(expected).max() > 0.1


def test_nothing_of_the_training_stays():
    training = networks.inverted_residual_net(
        pipeline=True, optimizer='adam', is_training=True
    )

    model = networks.model_of(training)

    ops = {node.op for node in model.graph_def.node}
    assert ops == {
        by_version.ADD,
        'BiasAdd',
        'Const',
        'Conv2D',
        'DepthwiseConv2dNative',
        'FusedBatchNormV3',
        'Identity',
        'MatMul',
        'Mean',
        'Mul',
        'Placeholder',
        'Relu',
        'Relu6',
        'Sigmoid',
        'VariableV2',
    }
    assert not any(v.key == 'global_step' for v in model.variables)


def test_the_meta_graph_is_not_changed():
    training = networks.inverted_residual_net(
        pipeline=True, optimizer='adam', is_training=True
    )
    meta_graph = tf.train.export_meta_graph(graph=training)
    before = meta_graph.SerializeToString(deterministic=True)

    derivation.derive(meta_graph, ['output'])

    assert meta_graph.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize('form', FORMS)
def test_dropout_goes_in_every_form(form):
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        tf.add(form(x * 3.0, 0.3), 1.0, name='output')

    model = derivation.derive(meta_of(build), ['output'])

    image = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert answers(model, {}, image).tolist() == [[4.0, 7.0, 10.0, 13.0]]


def test_an_output_that_is_a_dropout_keeps_its_name():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        tf.nn.dropout(x * 3.0, rate=0.5, name='output')

    meta_graph = meta_of(build)
    end = [n.name for n in meta_graph.graph_def.node if n.name.startswith('output')][-1]

    model = derivation.derive(meta_graph, [end])

    assert model.outputs == (end,)
    assert answers(model, {}, np.ones([1, 4])).tolist() == [[3.0] * 4]


def pipeline(dtype=tf.uint8):
    data = {'image': tf.zeros([6, 2, 2, 1], dtype), 'id': tf.range(6)}
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(3)
    return tf.data.make_initializable_iterator(dataset).get_next()


def test_a_pipeline_becomes_a_placeholder_of_its_type_and_shape():
    def build():
        image = pipeline()['image']
        tf.layers.flatten(tf.cast(image, tf.float32), name='output')

    meta_graph = meta_of(build)
    output = 'output/Reshape'

    model = derivation.derive(meta_graph, [output])

    node = next(n for n in model.graph_def.node if n.name == 'input')
    assert node.op == 'Placeholder'
    assert node.attr['dtype'].type == tf.uint8.as_datatype_enum
    assert [d.size for d in node.attr['shape'].shape.dim] == [-1, 2, 2, 1]
    image = np.arange(4).reshape(1, 2, 2, 1)
    assert answers(model, {}, image).tolist() == [[0.0, 1.0, 2.0, 3.0]]


def test_two_tensors_of_a_pipeline_are_two_inputs():
    def build():
        batch = pipeline(tf.float32)
        images = tf.reduce_sum(batch['image'], [1, 2, 3])
        tf.add(images, tf.cast(batch['id'], tf.float32), name='output')

    model = derivation.derive(meta_of(build), ['output'])

    assert model.inputs == ('input', 'input_1')


def test_a_taken_name_is_not_used_for_the_input():
    def build():
        x = tf.identity(pipeline(tf.float32)['image'], name='input')
        tf.nn.relu(x, name='output')

    model = derivation.derive(meta_of(build), ['output'])

    assert model.inputs == ('input_1',)


def net_with_a_pipeline():
    x = pipeline(tf.float32)['image']
    x = tf.multiply(x, 2.0, name='scaled')
    tf.add(x, 1.0, name='output')


def test_an_input_map_cuts_at_a_tensor_by_a_new_name():
    meta_graph = meta_of(net_with_a_pipeline)

    model = derivation.derive(meta_graph, ['output'], {'scaled:0': 'image'})

    assert model.inputs == ('image',)
    assert [n.name for n in model.graph_def.node] == ['image', 'output/y', 'output']


def test_an_input_map_takes_name_type_and_shape_of_a_placeholder():
    with tf.Graph().as_default():
        given = tf.placeholder(tf.float32, [1, 2, 2, 1], name='photo')

    model = derivation.derive(
        meta_of(net_with_a_pipeline), ['output'], {'scaled:0': given}
    )

    assert model.inputs == ('photo',)
    node = model.graph_def.node[0]
    assert [d.size for d in node.attr['shape'].shape.dim] == [1, 2, 2, 1]


def test_one_new_input_can_take_the_place_of_two_tensors():
    def build():
        a = tf.placeholder(tf.float32, [2], 'a')
        b = tf.placeholder(tf.float32, [2], 'b')
        tf.add(a, b, name='output')

    model = derivation.derive(
        meta_of(build), ['output'], {'a:0': 'both', 'b:0': 'both'}
    )

    assert model.inputs == ('both',)
    assert answers(model, {}, np.array([1.0, 2.0])).tolist() == [2.0, 4.0]


def test_a_placeholder_may_be_mapped_to_its_own_name():
    def build():
        x = tf.placeholder(tf.float32, name='images')
        tf.nn.relu(x, name='output')

    with tf.Graph().as_default():
        given = tf.placeholder(tf.float32, [None, 3], name='images')

    model = derivation.derive(meta_of(build), ['output'], {'images:0': given})

    assert model.inputs == ('images',)
    assert model.view().shape(TensorRef('images', 0)) == (None, 3)


@pytest.mark.parametrize(
    ('input_map', 'message'),
    [
        ({'scald:0': 'image'}, r"No node 'scald' in the graph. Nearest.*'scaled'"),
        ({'scaled:0': 3}, r"Input 'scaled:0' is mapped to 3\. Expected a placeholder"),
        ({'scaled:0': None}, r'is mapped to None'),
        ({'scaled:0': 'output'}, r"new input 'output' has the name of another node"),
    ],
)
def test_a_bad_input_map_says_what_is_wrong(input_map, message):
    with pytest.raises(GraphError, match=message):
        derivation.derive(meta_of(net_with_a_pipeline), ['output'], input_map)


def noisy():
    x = tf.placeholder(tf.float32, [None, 4], 'input')
    noise = tf.random_normal([4], name='noise')
    tf.add(x, noise, name='output')


def test_a_random_op_that_is_no_dropout_stays():
    model = derivation.derive(meta_of(noisy), ['output'])

    assert 'noise' in {node.name for node in model.graph_def.node}
    assert model.converted.dropouts == ()


def test_a_random_op_that_only_makes_an_initial_value_does_no_harm():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        start = tf.random_normal_initializer()
        tf.matmul(x, tf.get_variable('w', [4, 2], initializer=start), name='output')

    model = derivation.derive(meta_of(build), ['output'])

    assert model.inputs == ('input',)


def dense_net(x, training):
    x = tf.layers.batch_normalization(tf.layers.dense(x, 6), training=training)
    return tf.layers.dense(tf.nn.relu(x), 3)


def unfused_net(x, training):
    x = tf.reshape(x, [-1, 2, 2, 1])
    x = networks.conv(x, 4)
    x = tf.layers.batch_normalization(x, training=training, fused=False)
    return tf.layers.flatten(x)


def deep_net(x, training):
    # Nothing but affine ops between one batch norm and the next.
    for _ in range(2):
        x = tf.layers.batch_normalization(x, training=training, center=False)
        x = tf.layers.batch_normalization(x, training=training, scale=False)
    return x


@pytest.mark.parametrize('resource', [False, True])
@pytest.mark.parametrize('net', [dense_net, unfused_net, deep_net])
def test_batch_norm_that_is_not_fused_uses_its_moving_statistics(net, resource):
    def graph(training):
        with tf.Graph().as_default() as graph:
            x = tf.placeholder(tf.float32, [None, 4], 'input')
            with tf.variable_scope('', use_resource=resource):
                tf.identity(net(x, training), name='output')
            return graph

    arrays = networks.random_arrays(graph(True))
    image = np.random.RandomState(0).standard_normal([3, 4])

    found = answers(networks.model_of(graph(True)), arrays, image)

    expected = answers(networks.model_of(graph(False)), arrays, image)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_mean_over_the_batch_that_no_variable_averages_stays():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], 'input')
        tf.subtract(x, tf.reduce_mean(x, 0), name='output')

    model = derivation.derive(meta_of(build), ['output'])

    assert 'Mean' in {node.op for node in model.graph_def.node}


def test_a_loss_that_is_averaged_for_display_stays():
    def build():
        x = tf.placeholder(tf.float32, [None], 'input')
        loss = tf.reduce_mean(x, 0, name='loss')
        average = tf.get_variable('average', [], trainable=False)
        tf.assign_sub(average, (average - loss) * 0.1)
        tf.add(loss, 1.0, name='output')

    model = derivation.derive(meta_of(build), ['output'])

    assert model.variables == ()


def batch_norm_with(averages):
    """Batch norm in training mode whose batch mean `averages` variables follow."""

    def build():
        x = tf.placeholder(tf.float32, [None, 2, 2, 3], 'input')
        y, mean, variance = tf.nn.fused_batch_norm(
            x, tf.ones([3]), tf.zeros([3]), name='norm'
        )
        tf.assign_sub(tf.get_variable('variance', [3]), variance * 0.1)
        for i in range(averages):
            tf.assign_sub(tf.get_variable(f'mean{i}', [3]), mean * 0.1)
        tf.identity(y, name='output')

    return meta_of(build)


@pytest.mark.parametrize('averages', [0, 2])
def test_batch_norm_without_exactly_one_average_is_an_error(averages):
    with pytest.raises(GraphError) as caught:
        derivation.derive(batch_norm_with(averages), ['output'])

    assert (
        f"Batch norm 'norm' runs in training mode and {averages} variables average its "
        'batch mean; expected one.'
    ) in str(caught.value)


def test_batch_norm_takes_the_variables_that_average_its_statistics():
    model = derivation.derive(batch_norm_with(1), ['output'])

    assert [v.key for v in model.variables] == ['mean0', 'variance']
    arrays = {'mean0': np.ones([3]), 'variance': np.full([3], 3.999)}
    arrays = {key: value.astype(np.float32) for key, value in arrays.items()}
    found = answers(model, arrays, np.full([1, 2, 2, 3], 5.0))
    np.testing.assert_allclose(found, np.full([1, 2, 2, 3], 2.0), rtol=1e-6)


def test_an_output_inside_the_pipeline_is_refused():
    def build():
        pipeline()['image']

    with pytest.raises(GraphError, match='itself part of the input pipeline'):
        derivation.derive(meta_of(build), ['IteratorGetNext'])


def test_an_unknown_output_offers_the_nearest():
    with pytest.raises(GraphError) as caught:
        derivation.derive(meta_of(net_with_a_pipeline), ['outptu'])

    assert str(caught.value).startswith(
        "Output node 'outptu' is not in the graph. Nearest names: 'output'"
    )


def test_every_unknown_output_is_named():
    with pytest.raises(GraphError, match=r"'outptu' is not .*'sacled' is not in the"):
        derivation.derive(meta_of(net_with_a_pipeline), ['outptu', 'sacled'])


def test_all_named_outputs_are_kept_in_order():
    model = derivation.derive(meta_of(net_with_a_pipeline), ['output', 'scaled'])

    assert model.outputs == ('output', 'scaled')
