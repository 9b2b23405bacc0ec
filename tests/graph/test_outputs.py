from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph import outputs


def candidates(graph):
    return outputs.candidates(tf.train.export_meta_graph(graph=graph))


def classifier(last):
    """Features, labels and logits; `last` adds what comes behind them."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], 'image')
        labels = tf.placeholder(tf.int64, [None], 'label')
        x = networks.batch_norm(networks.conv(x, 4, name='first'), is_training=True)
        x = tf.nn.relu(networks.conv(x, 5, name='last'))
        last(tf.reduce_mean(x, [1, 2], name='logits'), labels)
    return graph


def train(logits, labels):
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    weights = tf.trainable_variables()
    loss += 0.1 * tf.add_n([tf.nn.l2_loss(weight) for weight in weights])
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
        tf.train.AdamOptimizer().minimize(loss)
    tf.summary.scalar('loss', loss)
    tf.summary.histogram('logits', logits)
    tf.train.Saver()


def train_with_metrics(logits, labels):
    train(logits, labels)
    tf.metrics.accuracy(labels, tf.argmax(logits, 1))
    tf.summary.scalar('dead', tf.nn.zero_fraction(logits))


def train_with_predictions(logits, labels):
    train(logits, labels)
    tf.nn.softmax(logits, name='probs')


def train_on_reshaped(logits, labels):
    train(tf.reshape(logits, [-1, 5]), labels)


def two_heads(logits, labels):
    train(logits, labels)
    tf.nn.softmax(logits, name='probs')
    tf.nn.sigmoid(logits, name='gates')


@pytest.mark.parametrize(
    ('last', 'expected'),
    [
        (lambda logits, labels: None, ['logits']),
        (train, ['logits']),
        (train_with_metrics, ['logits']),
        (train_with_predictions, ['probs']),
        (train_on_reshaped, ['logits']),
        (two_heads, ['probs', 'gates']),
        (lambda logits, labels: tf.argmax(logits, 1, name='class'), ['logits']),
        (lambda logits, labels: tf.train.Saver(), ['logits']),
    ],
)
def test_the_answer_comes_before_losses_metrics_and_gradients(last, expected):
    assert candidates(classifier(last)) == expected


def test_labels_from_the_same_pipeline_are_told_from_images():
    with tf.Graph().as_default() as graph:
        data = tf.data.Dataset.from_tensors((tf.zeros([2, 6, 6, 3]), tf.zeros([2, 4])))
        images, targets = tf.data.make_one_shot_iterator(data).get_next()
        x = networks.conv(images, 4, name='only')
        x = tf.reduce_mean(x, [1, 2], name='mean')
        tf.losses.mean_squared_error(targets, x)

    assert candidates(graph) == ['mean']


def test_a_graph_of_constants_ends_where_nothing_reads_on():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2, 3], 'x')
        tf.nn.relu(tf.matmul(x, tf.ones([3, 4])), name='end')

    assert candidates(graph) == ['end']


def test_a_single_number_is_the_answer_if_there_is_nothing_else():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [], 'x')
        tf.multiply(x, tf.get_variable('w', []), name='scaled')

    assert candidates(graph) == ['scaled']


def test_a_node_called_output_is_the_output():
    graph = tf.train.export_meta_graph(graph=networks.inverted_residual_net())

    assert outputs.only_output(graph) == ('output',)


def test_many_candidates_are_listed_in_part():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2, 3], 'x')
        for number in range(11):
            tf.nn.relu(x, name=f'head_{number}')

    with pytest.raises(GraphError) as caught:
        outputs.only_output(tf.train.export_meta_graph(graph=graph))

    text = str(caught.value)
    assert text.startswith("11 nodes may be the output: 'head_0', ")
    assert "'head_7' and 3 more. Name the output nodes." in text
    assert 'head_8' not in text


def test_a_graph_without_an_answer_says_so():
    with tf.Graph().as_default() as graph:
        tf.get_variable('w', [3])

    with pytest.raises(GraphError, match='No nodes may be the output'):
        outputs.only_output(tf.train.export_meta_graph(graph=graph))
