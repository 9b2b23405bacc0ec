from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.graph import pipelines, unsafe
from tf1pruning.graph.pipelines import PIPELINE_OPS

PIPELINE = PIPELINE_OPS - pipelines.PYTHON_OPS


def found(build, source=tf.placeholder):
    with tf.Graph().as_default() as graph:
        x = source(tf.float32, [2, 4], name='input')
        tf.identity(build(x), name='output')
    return unsafe.find_unsafe(graph.as_graph_def(), ('output',), PIPELINE)


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
