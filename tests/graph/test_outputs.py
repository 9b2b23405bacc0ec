from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.errors import GraphError
from tf1pruning.graph import outputs
from tf1pruning.graph.outputs import Candidate


def candidates(graph):
    found = outputs.candidates(tf.train.export_meta_graph(graph=graph))
    return [each.name for each in found]


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

    assert outputs.only_output(graph) == Candidate('output', ())


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


def total(x):
    return -tf.reduce_sum(x)


def loss_of_probabilities(p, y):
    return total(y * tf.log(tf.clip_by_value(p, 1e-10, 1.0)))


def binary_loss(p, y):
    return total(y * tf.log(p + 1e-8) + (1 - y) * tf.log(1 - p + 1e-8))


def focal_loss(p, y):
    return total(y * (1 - p) ** 2 * tf.log(p) + (1 - y) * p * p * tf.log(1 - p))


def normalized_loss(p, y):
    return total(y * tf.log(p / tf.reduce_sum(p, 1, keepdims=True)))


def gathered_loss(p, y):
    classes = tf.cast(tf.argmax(y, 1), tf.int32)
    where = tf.stack([tf.range(tf.shape(classes)[0]), classes], 1)
    return total(tf.gather_nd(tf.log(p), where))


def loss_with_entropy(p, y):
    return loss_of_probabilities(p, y) + 0.1 * total(p * tf.log(p))


def overlap(p, y):
    """The Dice loss with squares."""
    squares = tf.reduce_sum(tf.square(p)) + tf.reduce_sum(tf.square(y))
    return 1 - 2 * tf.reduce_sum(p * y) / squares


def softmax_by_hand(logits):
    powers = tf.exp(logits)
    return tf.div(powers, tf.reduce_sum(powers, 1, keepdims=True), name='p')


def trained_by(loss, answer=None):
    """The candidates where `loss` is of what `answer` makes of `logits`."""

    def last(logits, labels):
        given = logits if answer is None else answer(logits)
        y = tf.placeholder(tf.float32, [None, 5], 'truth')
        tf.train.AdamOptimizer().minimize(loss(given, y))

    graph = tf.train.export_meta_graph(graph=classifier(last))
    return outputs.candidates(graph)


def softmax(logits):
    return tf.nn.softmax(logits, name='p')


@pytest.mark.parametrize(
    ('loss', 'answer', 'expected'),
    [
        (loss_of_probabilities, softmax, Candidate('p', ('Log',))),
        (loss_of_probabilities, softmax_by_hand, Candidate('p', ('Log',))),
        (binary_loss, lambda x: tf.sigmoid(x, name='p'), ('p', ('Log', 'Log_1'))),
        (focal_loss, softmax, ('p', ('Log', 'Log_1', 'pow'))),
        (normalized_loss, softmax, ('p', ('Log',))),
        (gathered_loss, softmax, ('p', ('Log',))),
        (loss_with_entropy, softmax, ('p', ('Log', 'mul_1'))),
        (overlap, softmax, ('p', ('Square',))),
        (
            lambda x, y: total(y * tf.nn.log_softmax(x)),
            None,
            ('logits', ('LogSoftmax',)),
        ),
        (
            lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x),
            None,
            ('logits', ('logistic_loss/Log1p', 'logistic_loss/Select')),
        ),
        # Numbers of another range are an answer of their own.
        (lambda x, y: total(tf.square(x * 3.0 - y)), None, ('mul', ())),
        (lambda x, y: total(tf.square(x - y)), tf.exp, ('Exp', ())),
    ],
)
def test_the_inside_of_a_loss_is_no_answer(loss, answer, expected):
    assert trained_by(loss, answer) == [Candidate(*expected)]


def test_a_logarithm_that_nothing_reads_is_the_answer():
    def last(logits, labels):
        tf.log(tf.nn.softmax(logits), name='logarithms')

    assert candidates(classifier(last)) == ['logarithms']


def test_the_choice_is_said():
    (found,) = trained_by(loss_of_probabilities, softmax)

    (note,) = found.notes
    assert str(note) == (
        "Output 'p': the loss starts from it, and what comes after it ('Log') is a "
        'part of the loss.'
    )
    assert note.options == ('output_nodes',)
    assert Candidate('p', ()).notes == ()
