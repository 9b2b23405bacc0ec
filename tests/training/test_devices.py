from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.training import devices


@pytest.mark.parametrize('good', [(), ('cpu:0', 'cpu:1'), ('cpu:3', 'cpu:0')])
def test_devices_that_exist_are_good(good):
    assert list(devices.problems(good)) == []


@pytest.mark.parametrize(
    ('bad', 'expected'),
    [
        (('cpu:0', 'cpu'), "'cpu' is no device such as gpu:0"),
        (('cpu:0', 'tpu:1'), "'tpu:1' is no device such as gpu:0"),
        (('cpu:0', 'gpu:99'), "'gpu:99' is none of the 0 GPUs of this machine"),
        (('cpu:0', 'cpu:0'), 'a device is there twice'),
        (('cpu:1',), 'one device has no copies; give two or more, or none'),
    ],
)
def test_what_is_wrong_with_devices_is_named(bad, expected):
    assert list(devices.problems(bad)) == [expected]


def test_a_session_has_the_devices():
    config = devices.session_config(['cpu:0', 'cpu:2'])

    with tf.Session(config=config) as session:
        found = [device.device_type for device in session.list_devices()]

    assert found.count('CPU') == 3
