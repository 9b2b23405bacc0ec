from __future__ import annotations

import dataclasses

import numpy as np

from demo.networks import random_weights
from tests import networks
from tests.demo.networks import tiny


def arrays(name='mobilenet_v1', seed=0):
    return random_weights.random_arrays(networks.model_of(tiny.build(name)), seed)


def test_batch_norm_is_random_and_runs():
    scope = 'MobilenetV1/Conv/BatchNorm'
    found = arrays()

    assert found[f'{scope}/moving_variance'].min() >= 0.5
    for name in ('gamma', 'beta', 'moving_mean'):
        value = found[f'{scope}/{name}']
        assert value.shape == (8,)
        assert value.dtype == np.float32
        assert np.unique(value).size == 8


def test_kernels_have_the_scale_of_what_a_filter_reads():
    found = arrays()

    # 4 * 4 * 24 inputs make no difference to a depthwise kernel of 3 x 3.
    depthwise = found['MobilenetV1/separable_3/depthwise/depthwise_weights']
    np.testing.assert_allclose(depthwise.std(), (1.5 / 9) ** 0.5, rtol=0.2)
    pointwise = found['MobilenetV1/separable_3/pointwise/weights']
    np.testing.assert_allclose(pointwise.std(), (1.5 / 16) ** 0.5, rtol=0.2)


def test_values_depend_on_name_and_seed_only():
    model = networks.model_of(tiny.build('mlp'))
    backwards = dataclasses.replace(model, variables=model.variables[::-1])

    first = random_weights.random_arrays(model)
    again = random_weights.random_arrays(backwards)
    other = random_weights.random_arrays(model, seed=1)

    assert set(first) == {'MLP/fc1/weights', 'MLP/fc2/weights', 'MLP/Logits/weights'}
    for key, value in first.items():
        assert np.array_equal(value, again[key])
        assert not np.array_equal(value, other[key])
