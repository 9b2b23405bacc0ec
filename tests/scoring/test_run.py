"""Scores on data are those of backpropagation by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.scoring import dense
from tests.scoring.dense import W1, W2, average, gradients
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace
from tf1pruning.criteria import registry
from tf1pruning.errors import DataError, OptionError
from tf1pruning.graph.inference import derivation
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring import loss_model, run
from tf1pruning.scoring.batches import Batches


def removal(part):
    found = gradients(part)
    return -found.hidden * found.at_hidden


def replacement(part):
    found = gradients(part)
    return (found.hidden.mean(axis=0) - found.hidden) * found.at_hidden


def product(part):
    return W1 * gradients(part).at_w1


START = np.full_like(W1, 0.25)

# Importances `[3]` of the channels of the hidden layer.
EXPECTED = {
    'taylor_rs': lambda: average(lambda p: removal(p).mean(axis=0)),
    'taylor_abs_rs': lambda: average(lambda p: np.abs(removal(p)).mean(axis=0)),
    'taylor_mrs': lambda: average(lambda p: replacement(p).mean(axis=0)),
    'taylor_abs_mrs': lambda: average(lambda p: np.abs(replacement(p)).mean(axis=0)),
    'activation_mean': lambda: average(lambda p: gradients(p).hidden.mean(axis=0)),
    'apoz': lambda: -average(lambda p: (gradients(p).hidden == 0).mean(axis=0)),
    'loss_based': lambda: np.abs(average(product)).sum(axis=0),
    'tfo': lambda: np.abs(average(product).sum(axis=0)),
    'biased_loss': lambda: np.abs(W1 * average(product)).sum(axis=0),
    'biased_loss_init': lambda: np.abs((W1 - START) * average(product)).sum(axis=0),
    'fisher': lambda: average(lambda p: np.square(product(p)).sum(axis=0)),
}


def test_every_criterion_is_the_one_of_its_formula_in_one_pass():
    passes = []
    scores = dense.score(
        list(EXPECTED),
        start={'a/kernel': START, 'b/kernel': W2},
        progress=passes.append,
    )

    assert [(each.done, each.total) for each in passes] == [(1, 3), (2, 3), (3, 3)]
    assert scores.batches == 3
    for name, expected in EXPECTED.items():
        np.testing.assert_allclose(
            scores.scores[name]['a'], [-expected()], rtol=1e-4, atol=1e-7, err_msg=name
        )
    np.testing.assert_allclose(
        scores.means['MatMul_1'],
        average(lambda p: gradients(p).hidden.mean(axis=0)),
        rtol=1e-5,
    )


def along_mean_gradient(step=1e-4):
    """Hessian times mean gradient at the first kernel, by central differences."""
    mean1 = average(lambda p: gradients(p).at_w1)
    mean2 = average(lambda p: gradients(p).at_w2)

    def of_batch(part):
        ahead = gradients(part, W1 + step * mean1, W2 + step * mean2).at_w1
        back = gradients(part, W1 - step * mean1, W2 - step * mean2).at_w1
        return (ahead - back) / (2 * step)

    return average(of_batch)


def test_gradient_flow_takes_a_second_pass_along_the_mean_gradient():
    steps = []
    scores = dense.score(
        ['grasp', 'grad_preserve', 'tfo'],
        progress=steps.append,
    ).scores

    expected = (W1 * along_mean_gradient()).sum(axis=0)
    np.testing.assert_allclose(scores['grasp']['a'], [-expected], rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(
        scores['grad_preserve']['a'], [-np.abs(expected)], rtol=1e-3, atol=1e-7
    )
    np.testing.assert_allclose(scores['tfo']['a'], [-EXPECTED['tfo']()], rtol=1e-4)
    assert (steps[-1].done, steps[-1].total) == (6, 6)


def test_an_exponential_average_forgets():
    scores = dense.score(['taylor_rs'], alpha=0.5).scores

    first, second, third = (removal(part).mean(axis=0) for part in dense.PARTS)
    expected = first / 4 + second / 4 + third / 2
    np.testing.assert_allclose(scores['taylor_rs']['a'], [-expected], rtol=1e-4)


def test_a_temperature_divides_the_logits():
    found = dense.score(['tfo'], temperature=5.0).scores

    expected = average(lambda p: W1 * gradients(p, temperature=5.0).at_w1).sum(axis=0)
    np.testing.assert_allclose(found['tfo']['a'], [-np.abs(expected)], rtol=1e-4)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(OptionError, match=r'temperature is 0\.0; expected above 0'):
        dense.score(['tfo'], temperature=0.0)


def test_the_loss_is_averaged_too():
    found = dense.score(['apoz'])

    hidden = np.maximum(dense.X @ W1, 0) @ W2
    logs = hidden - np.log(np.exp(hidden).sum(axis=1, keepdims=True))
    expected = -logs[np.arange(10), dense.Y].mean()
    assert abs(found.loss - expected) < 1e-5


def of(**arrays):
    return Batches.of_arrays({'x': dense.X, 'y': dense.Y, **arrays}, 5)


def with_nan():
    x = dense.X.copy()
    x[7, 0] = np.nan
    return of(x=x)


@pytest.mark.parametrize(
    ('batches', 'message'),
    [
        (with_nan, r"Batch 2 gives NaN.*'a'"),
        (lambda: batches_lib.Batches(list), 'The data has no batch'),
        (lambda: of(z=dense.Y), "has 'z', which is no input of the loss"),
        (lambda: Batches.of_arrays({'x': dense.X}, 5), "needs the inputs 'y'"),
        (lambda: of(x=dense.X[:, :2]), 'does not run on the data'),
    ],
)
def test_bad_data_is_named(batches, message):
    with pytest.raises(DataError, match=message):
        dense.score(['taylor_rs'], batches())


def net_with_an_infinite_slope():
    """Groups `before` and `behind` a square root, whose slope at 0 is infinite."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], 'x')
        y = tf.placeholder(tf.int32, [None], 'y')
        x = tf.layers.dense(x, 3, use_bias=False, name='before')
        x = tf.sqrt(tf.square(x))
        x = tf.nn.relu(tf.layers.dense(x, 3, use_bias=False, name='behind'))
        logits = tf.layers.dense(x, 2, use_bias=False, name='last')
        tf.identity(logits, name='output')
        tf.losses.sparse_softmax_cross_entropy(y, logits)
    return tf.train.export_meta_graph(graph=graph)


def test_the_group_whose_gradient_is_nan_is_named():
    meta_graph = net_with_an_infinite_slope()
    found = trace.trace(derivation.derive(meta_graph, ['output']))
    groups = [g for g in groups_lib.find_groups(found) if not g.frozen]
    # The first channel is always 0.
    weights = {
        'before/kernel': W1 * [0, 1, 1],
        'behind/kernel': np.ones([3, 3]),
        'last/kernel': W2,
    }

    with pytest.raises(DataError, match=r"Batch 1 gives NaN .* at 'before'\. "):
        run.score(
            found,
            groups,
            loss_model.loss_model(meta_graph),
            run.Weights(weights, None),
            of(),
            [registry.find_data('tfo')],
        )


def test_an_error_amid_an_input_fn_is_not_masked_by_its_session():
    x = dense.X.copy()
    x[0, 0] = np.nan
    data = Batches.of_input_fn(
        lambda: tf.data.Dataset.from_tensor_slices((x, dense.Y)).batch(2), ['x', 'y']
    )

    with pytest.raises(DataError, match='Batch 1 gives NaN'):
        dense.score(['taylor_rs'], data)
    assert tf.get_default_session() is None


@pytest.mark.parametrize('alpha', [0.0, 1.5])
def test_a_factor_out_of_range_is_refused(alpha):
    with pytest.raises(OptionError, match='exponential average'):
        dense.score(['apoz'], alpha=alpha)


def test_the_distance_from_the_start_needs_the_start():
    with pytest.raises(OptionError, match='give the initial checkpoint'):
        dense.score(['biased_loss_init'])


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('tailor_rs', r"no criterion 'tailor_rs'.*Nearest names: 'taylor_rs'"),
        ('l1', "'l1' looks at weights alone and needs no data"),
    ],
)
def test_a_criterion_that_does_not_exist_is_refused(name, message):
    with pytest.raises(OptionError, match=message):
        dense.score([name])
