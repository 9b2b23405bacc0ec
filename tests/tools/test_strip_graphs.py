"""tools/strip.py and graphs that it must not run, or cannot."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies import trained
from tests.tools import models
from tf1pruning.ckpt.checkpoint import Checkpoint


def strip(prefix, folder, *flags):
    return models.run_tool(
        'strip.py', f'--model={prefix}', f'--output_dir={folder}', *flags
    )


def network(tmp_path, middle):
    """conv a -> relu -> conv b -> `middle` -> conv c; two zero filters in a and b."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.nn.relu(networks.conv(x, 6, name='a'))
        x = middle(networks.conv(x, 6, name='b'))
        tf.identity(networks.conv(x, 3, name='c'), name='output')
    prefix = networks.save(graph, str(tmp_path / 'full' / 'model.ckpt'))

    def zero(arrays):
        for layer in 'ab':
            arrays[f'{layer}/kernel'][..., [1, 4]] = 0
            arrays[f'{layer}/bias'][[1, 4]] = 0

    return trained.changed_copy(prefix, str(tmp_path / 'pruned'), zero)


def writing(target):
    def middle(x):
        with tf.control_dependencies([tf.io.write_file(str(target), 'written')]):
            return tf.identity(x)

    return middle


def calling(x):
    y = tf.py_func(lambda array: array, [x], tf.float32)
    y.set_shape(x.shape)
    return y


def resizing(x):
    """Writes behind the end of a list, so far that there is no memory for it."""
    index = tf.cast(tf.reduce_sum(x) * 0, tf.int32) + 2 * 10**9
    array = tf.TensorArray(tf.float32, 1, dynamic_size=True).write(index, 1.0)
    return x + 0 * tf.cast(array.size(), tf.float32)


def test_an_op_that_ends_tensorflow_is_one_line(tmp_path):
    prefix = network(tmp_path, resizing)

    done = strip(prefix, tmp_path / 'out')

    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith('Error: The run was ended by SIGABRT (')
    assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('kind', ['writes', 'calls Python'])
def test_an_unsafe_graph_is_refused_before_it_runs(tmp_path, kind):
    written = tmp_path / 'written'
    if kind == 'writes':
        prefix = network(tmp_path, writing(written))
    else:
        prefix = network(tmp_path, calling)

    done = strip(prefix, tmp_path / 'out')

    assert (done.returncode, done.stdout) == (1, '')
    name = "'WriteFile' (WriteFile)" if kind == 'writes' else "'PyFunc' (PyFunc)"
    assert f'write files or call Python: {name}. Nothing was run' in done.stderr
    assert done.stderr.endswith('or allow them. See --allow_unsafe_ops.\n')
    assert done.stderr.count('\n') == 1
    assert not written.exists()
    assert not (tmp_path / 'out').exists()


def test_who_insists_may_strip_an_unsafe_graph(tmp_path):
    prefix = network(tmp_path, writing(tmp_path / 'written'))

    done = strip(prefix, tmp_path / 'out', '--allow_unsafe_ops')

    assert done.returncode == 0, done.stderr
    shapes = Checkpoint(str(tmp_path / 'out' / 'stripped.ckpt')).shapes
    assert shapes['b/kernel'] == (1, 1, 4, 4)


def test_python_is_kept_and_frozen_where_the_user_insists(tmp_path):
    prefix = network(tmp_path, calling)

    done = strip(prefix, tmp_path / 'out', '--allow_unsafe_ops', '--noverify')

    assert done.returncode == 0, done.stderr
    assert 'no rule for PyFunc' in done.stdout
    shapes = Checkpoint(str(tmp_path / 'out' / 'stripped.ckpt')).shapes
    assert (shapes['a/kernel'][-1], shapes['b/kernel'][-1]) == (4, 6)


def unknown(prefix):
    """Gives the activation in the middle a type that no library has."""
    graph = tf.MetaGraphDef()
    with open(prefix + '.meta', 'rb') as file:
        graph.ParseFromString(file.read())
    for node in graph.graph_def.node:
        if node.name == 'custom':
            node.op = 'FancyActivation'
    with open(prefix + '.meta', 'wb') as file:
        file.write(graph.SerializeToString())
    return prefix


@pytest.mark.parametrize('form', ['checkpoint', 'frozen'])
def test_an_unknown_op_is_named_and_the_rest_stripped_unseen(tmp_path, form):
    path = unknown(network(tmp_path, lambda x: tf.nn.elu(x, name='custom')))
    if form == 'frozen':
        path = models.frozen(str(tmp_path), path)

    refused = strip(path, tmp_path / 'out')
    done = strip(path, tmp_path / 'out', '--noverify')

    assert refused.returncode == 1
    assert "does not know the op 'FancyActivation' of 'custom'" in refused.stderr
    assert refused.stderr.endswith('by its structure alone. See --noverify.\n')
    assert refused.stderr.count('\n') == 1
    assert done.returncode == 0, done.stderr
    assert 'outputs were not compared' in done.stdout
    report = json.loads((tmp_path / 'out' / 'report.json').read_text())
    # The channels of b reach the op, so only a is cut.
    after = {group['name']: group['after'] for group in report['groups']}
    assert (after['a'], after['b']) == (4, 6)
    nodes = graph_of(tmp_path / 'out' / 'stripped.pb').node
    assert 'FancyActivation' in {node.op for node in nodes}


def graph_of(path):
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    return graph_def


def test_missing_variables_are_listed_with_those_that_are_too_many(tmp_path):
    prefix = network(tmp_path, tf.nn.relu)

    def rename(arrays):
        arrays['d/kernel'] = arrays.pop('b/kernel')

    other = trained.changed_copy(prefix, str(tmp_path / 'other'), rename)

    done = strip(other, tmp_path / 'out')

    assert done.returncode == 1
    assert "variables that the checkpoint lacks: 'b/kernel'." in done.stderr
    assert "Only in the checkpoint: 'd/kernel'." in done.stderr


def test_extra_variables_are_listed(tmp_path):
    prefix = network(tmp_path, tf.nn.relu)

    def add(arrays):
        arrays['global_step'] = np.array(7)
        arrays['b/kernel/Adam'] = arrays['b/kernel']

    other = trained.changed_copy(prefix, str(tmp_path / 'other'), add)

    done = strip(other, tmp_path / 'out')

    assert done.returncode == 0, done.stderr
    assert "Not used by the network: 'global_step'." in done.stdout
