"""Input pipelines of every kind end at one placeholder; what only watches goes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.graph.frozen.freeze import freeze
from tf1pruning.graph.inference import derivation
from tf1pruning.graph.view import shape_from_proto
from tf1pruning.surgery import verify

SHAPE = (8, 8, 3)


def data():
    return tf.data.Dataset.from_tensor_slices(tf.zeros([6, *SHAPE])).batch(3)


def one_shot():
    return tf.data.make_one_shot_iterator(data()).get_next()


def initializable():
    return tf.data.make_initializable_iterator(data()).get_next()


def reinitializable():
    iterator = tf.data.Iterator.from_structure(tf.float32, [None, *SHAPE])
    iterator.make_initializer(data())
    return iterator.get_next()


def feedable():
    handle = tf.placeholder(tf.string, [], 'handle')
    iterator = tf.data.Iterator.from_string_handle(
        handle, tf.float32, tf.TensorShape([None, *SHAPE])
    )
    return iterator.get_next()


def queue():
    queue = tf.FIFOQueue(10, tf.float32, SHAPE)
    runner = tf.train.QueueRunner(queue, [queue.enqueue_many(tf.zeros([4, *SHAPE]))])
    tf.train.add_queue_runner(runner)
    return queue.dequeue_up_to(3)


def shuffle_batch():
    image = tf.train.slice_input_producer([tf.zeros([6, *SHAPE])])[0]
    return tf.train.shuffle_batch([image], 3, capacity=9, min_after_dequeue=3)


def example():
    reader = tf.TFRecordReader()
    _, record = reader.read(tf.train.string_input_producer(['a.tfrecord']))
    feature = {'image': tf.FixedLenFeature([], tf.string)}
    return tf.parse_single_example(record, feature)['image']


def decoded(encoded):
    image = tf.image.decode_jpeg(encoded, channels=3)
    image = tf.image.convert_image_dtype(image, tf.float32)
    image = tf.image.resize_images(image, SHAPE[:2])
    return (image - [0.5, 0.4, 0.3]) / 0.2


def records():
    return tf.train.batch([decoded(example())], 3)


def mapped():
    """Random augmentation is no matter before the batch."""
    images = data().unbatch().map(tf.image.random_flip_left_right)
    return tf.data.make_one_shot_iterator(images.batch(3)).get_next()


PIPELINES = (
    one_shot,
    initializable,
    reinitializable,
    feedable,
    queue,
    shuffle_batch,
    records,
    mapped,
)


def net(x):
    x = networks.conv(x, 4, name='first')
    x = tf.layers.flatten(tf.nn.relu(x))
    return tf.identity(tf.layers.dense(x, 2, name='second'), name='output')


def graph_of(build, *arguments):
    with tf.Graph().as_default() as graph:
        build(*arguments)
    return graph


def written():
    return graph_of(lambda: net(tf.placeholder(tf.float32, [None, *SHAPE], 'input')))


def answer(model, arrays):
    image = np.random.RandomState(0).standard_normal([3, *SHAPE])
    given = {v.node: arrays[v.key] for v in model.variables}
    return verify.run(freeze(model, given), model.outputs, {model.inputs[0]: image})[0]


def check(graph, model):
    arrays = networks.random_arrays(graph)
    expected = answer(networks.model_of(written()), arrays)
    np.testing.assert_array_equal(answer(model, arrays), expected)
    assert np.abs(expected).max() > 0.1


def input_of(model):
    (node,) = [n for n in model.graph_def.node if n.name == model.inputs[0]]
    dtype = tf.as_dtype(node.attr['dtype'].type)
    return dtype, shape_from_proto(node.attr['shape'].shape)


@pytest.mark.parametrize('pipeline', PIPELINES)
def test_a_pipeline_ends_at_its_batch(pipeline):
    graph = graph_of(lambda: net(tf.reshape(pipeline(), [-1, *SHAPE])))

    model = networks.model_of(graph)

    assert model.inputs == ('input',)
    dtype, shape = input_of(model)
    assert (dtype, shape[1:]) == (tf.float32, SHAPE)
    check(graph, model)


def test_an_image_of_a_pipeline_is_given_decoded():
    def build():
        image = tf.image.decode_jpeg(example(), channels=3)
        tf.reduce_mean(tf.cast(image, tf.float32), [0, 1], name='output')

    model = networks.model_of(graph_of(build))

    assert input_of(model) == (tf.uint8, (None, None, 3))


def test_an_image_that_the_caller_encodes_is_decoded_in_the_graph():
    def build():
        encoded = tf.placeholder(tf.string, [], 'encoded')
        tf.reduce_mean(decoded(encoded), [0, 1], name='output')

    model = networks.model_of(graph_of(build))

    assert model.inputs == ('encoded',)
    assert 'DecodeJpeg' in {n.op for n in model.graph_def.node}


def serving():
    """Encoded images, decoded one by one in a loop."""
    received = tf.placeholder(tf.string, [None], 'examples')
    feature = {'image': tf.FixedLenFeature([], tf.string)}
    encoded = tf.parse_example(received, feature)['image']
    images = tf.map_fn(decoded, encoded, tf.float32)
    return net(tf.reshape(images, [-1, *SHAPE], name='batch'))


def test_a_loop_that_decodes_is_cut_off_at_the_batch():
    graph = graph_of(serving)
    meta_graph = tf.train.export_meta_graph(graph=graph)

    model = derivation.derive(meta_graph, ['output'], {'batch:0': 'images'})

    assert model.inputs == ('images',)
    check(graph, model)


def watched():
    x = tf.placeholder(tf.float32, [None, *SHAPE], 'input')
    tf.summary.image('image', x)
    x = tf.check_numerics(x, 'input')
    x = tf.Print(x, [tf.shape(x)], 'shape')
    shown = tf.print('mean', tf.reduce_mean(x))
    checked = tf.Assert(tf.reduce_all(x < 1e6), [x], name='check')
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies([shown, checked, tf.assign_add(step, 1)]):
        x = tf.identity(x)
    output = net(x)
    tf.summary.scalar('mean', tf.reduce_mean(output))
    tf.summary.merge_all()


def test_what_only_watches_or_waits_goes():
    graph = graph_of(watched)

    model = networks.model_of(graph)

    ops = {n.op for n in model.graph_def.node}
    assert not ops & {'Assert', 'CheckNumerics', 'Print', 'PrintV2', 'AssignAdd'}
    assert not any('Summary' in op for op in ops)
    assert not any(i.startswith('^') for n in model.graph_def.node for i in n.input)
    assert [v.key for v in model.variables if v.key == 'global_step'] == []
    check(graph, model)


def with_python(x):
    x = tf.layers.conv2d(x, 4, 3, name='early')
    x = tf.py_func(lambda a: a, [x], tf.float32, name='python')
    return net(tf.reshape(x, [-1, 6, 6, 4], name='behind'))


def test_python_in_the_middle_of_a_network_is_no_input_pipeline():
    graph = graph_of(lambda: with_python(tf.placeholder(tf.float32, [None, *SHAPE])))

    model = networks.model_of(graph)

    assert model.inputs == ('Placeholder',)
    assert [n.name for n in model.graph_def.node if n.op == 'PyFunc'] == ['python']


def test_python_behind_constant_kernels_is_no_input_pipeline():
    def build():
        x = tf.matmul(tf.placeholder(tf.float32, [None, 4]), tf.ones([4, 4]))
        x = tf.py_func(lambda a: a, [x], tf.float32, name='python')
        return net(tf.reshape(x, [-1, *SHAPE]))

    assert networks.model_of(graph_of(build)).inputs == ('Placeholder',)


def test_the_network_behind_python_can_be_meant():
    graph = graph_of(lambda: with_python(tf.placeholder(tf.float32, [None, *SHAPE])))
    meta_graph = tf.train.export_meta_graph(graph=graph)

    model = derivation.derive(meta_graph, ['output'], {'python:0': 'images'})

    assert model.inputs == ('images',)
