from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from scripts import pure_ops
from tf1pruning.graph import unsafe
from tf1pruning.graph.view import GraphView


def found(build, source=tf.placeholder):
    with tf.Graph().as_default() as graph:
        x = source(tf.float32, [2, 4], name='input')
        tf.identity(build(x), name='output')
    return unsafe.find_unsafe(GraphView(graph.as_graph_def()), ('output',))


def same(array):
    return array


def writes(x):
    with tf.control_dependencies([tf.io.write_file('/tmp/x', 'text', name='write')]):
        return tf.identity(x)


def saves(x):
    with tf.control_dependencies([tf.raw_ops.SaveV2(**table(x), name='mine')]):
        return x + 1


def table(x):
    return {
        'prefix': 'p',
        'tensor_names': ['x'],
        'shape_and_slices': [''],
        'tensors': [x],
    }


def prints_to_a_file(x):
    with tf.control_dependencies([tf.print(x, output_stream='file:///tmp/x')]):
        return x + 1


@pytest.mark.parametrize(
    ('build', 'name'),
    [
        (writes, "'write' (WriteFile)"),
        (saves, "'mine' (SaveV2)"),
        (prints_to_a_file, "'PrintV2' (PrintV2)"),
        (lambda x: tf.py_func(same, [x], tf.float32), "'PyFunc' (PyFunc)"),
        (
            lambda x: tf.numpy_function(same, [x], tf.float32, name='f'),
            "'f' (PyFunc)",
        ),
        (
            lambda x: tf.py_function(same, [x], tf.float32),
            "'EagerPyFunc' (EagerPyFunc)",
        ),
        (
            lambda x: tf.map_fn(lambda y: tf.py_func(same, [y], tf.float32), x),
            "'map/while/PyFunc' (PyFunc)",
        ),
    ],
)
def test_what_writes_or_calls_python_before_the_output_is_named(build, name):
    assert found(build) == (name,)


def test_a_function_that_calls_python_is_named_by_its_caller():
    @tf.function
    def calls(x):
        return tf.py_function(same, [x], tf.float32)

    assert found(calls) == ("'StatefulPartitionedCall' (EagerPyFunc)",)


def beside(x):
    tf.py_func(same, [x], tf.float32)
    tf.io.write_file('/tmp/x', 'text')
    tf.train.Saver([tf.get_variable('w', [2])])
    tf.summary.scalar('s', tf.reduce_sum(x))
    with tf.control_dependencies([tf.print(x)]):
        return x + 1


def reads_behind_a_layer(x):
    text = tf.where(tf.reduce_sum(x) > 1e30, '', '/etc/hostname')
    return x + tf.cast(tf.strings.length(tf.io.read_file(text, name='read')), x.dtype)


def spies(x):
    spy = tf.get_default_graph().create_op('DebugIdentity', [x], [x.dtype], name='spy')
    return spy.outputs[0] + 1


def queries(x):
    dataset = tf.raw_ops.SqlDataset(
        driver_name='sqlite',
        data_source_name='x',
        query='PRAGMA user_version=1',
        output_types=[tf.float32],
        output_shapes=[[]],
        name='sql',
    )
    types = {'output_types': [tf.float32], 'output_shapes': [[]]}
    return x + tf.raw_ops.DatasetToSingleElement(dataset=dataset, **types)[0]


def runs_a_string(x):
    graph = tf.get_default_graph()
    hidden = graph.create_op('DatasetFromGraph', [tf.constant('')], [tf.variant])
    types = {'output_types': [tf.float32], 'output_shapes': [[]]}
    dataset = hidden.outputs[0]
    return x + tf.raw_ops.DatasetToSingleElement(dataset=dataset, **types)[0]


def waits(x):
    return x + tf.FIFOQueue(1, tf.float32, shapes=[[]], name='queue').dequeue('waits')


def writes_in_a_loop(x):
    def body(i, y):
        with tf.control_dependencies([tf.io.write_file('/tmp/x', 'text')]):
            return i + 1, tf.identity(y)

    return tf.while_loop(lambda i, _: i < 1, body, [0, x])[1]


def writes_in_a_dataset(x):
    def body(y):
        with tf.control_dependencies([tf.io.write_file('/tmp/x', 'text')]):
            return tf.identity(y)

    rows = tf.data.Dataset.from_tensors(x).map(body)
    return tf.data.experimental.get_single_element(rows)


@pytest.mark.parametrize(
    ('build', 'names'),
    [
        (reads_behind_a_layer, ("'read' (ReadFile)",)),
        (spies, ("'spy' (DebugIdentity)",)),
        (queries, ("'sql' (SqlDataset)",)),
        (runs_a_string, ("'DatasetFromGraph' (DatasetFromGraph)",)),
        (writes_in_a_loop, ("'while/WriteFile' (WriteFile)",)),
        (writes_in_a_dataset, ("'MapDataset' (WriteFile)",)),
        (waits, ("'queue' (FIFOQueueV2)", "'waits' (QueueDequeueV2)")),
    ],
)
def test_what_a_run_of_the_network_reaches_has_to_be_pure(build, names):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2, 4], name='input')
        tf.identity(build(x), name='output')

    assert unsafe.find_impure(graph.as_graph_def(), ['output']) == names


@pytest.mark.parametrize(
    ('path', 'found'),
    [
        ('/data/a.tfrecord', ()),
        ('gs://bucket/a', ("'path' (with 'gs://bucket/a')",)),
        ('s3:', ("'path' (with 's3:')",)),
    ],
)
def test_a_pipeline_reads_files_but_of_no_host(path, found):
    with tf.Graph().as_default() as graph:
        rows = tf.data.TFRecordDataset(tf.constant(path, name='path'))
        tf.data.make_one_shot_iterator(rows).get_next(name='next')
        started = tf.io.read_file(tf.constant(path, name='path'), name='next2')
    graph_def = graph.as_graph_def()

    assert unsafe.find_impure_pipeline(graph_def, [started.op.name]) == tuple(
        text.replace("'path'", "'path_1'") for text in found
    )
    assert len(unsafe.find_impure_pipeline(graph_def, ['next'])) == len(found)
    assert unsafe.find_impure(graph_def, ['next2']) == ("'next2' (ReadFile)",)


def test_a_dataset_is_cached_in_memory_only():
    with tf.Graph().as_default() as graph:
        for name, file in (('memory', ''), ('disk', '/tmp/cache')):
            rows = tf.data.Dataset.range(3).cache(file)
            tf.data.make_initializable_iterator(rows, name).get_next(name=name)
    graph_def = graph.as_graph_def()
    makers = [n.name for n in graph_def.node if n.op == 'MakeIterator']

    found = [unsafe.find_impure_pipeline(graph_def, [name]) for name in makers]

    assert found[0] == ()
    assert len(found[1]) == 1
    assert '(CacheDataset' in found[1][0]


def test_the_list_of_pure_ops_is_what_its_script_writes():
    assert pure_ops.TARGET.read_text() == pure_ops.module()


def test_what_no_output_needs_is_safe():
    assert found(beside) == ()


def test_the_input_pipeline_may_call_python():
    def pipeline(dtype, shape, name):
        rows = tf.data.Dataset.from_tensors(np.zeros(shape, np.float32)).map(
            lambda row: tf.py_func(same, [row], dtype)
        )
        return tf.reshape(tf.data.make_one_shot_iterator(rows).get_next(), shape, name)

    def loads(dtype, shape, name):
        return tf.py_func(lambda: np.zeros(shape, np.float32), [], dtype, name=name)

    assert found(tf.abs, pipeline) == ()
    assert found(tf.abs, loads) == ()
