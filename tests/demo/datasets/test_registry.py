from __future__ import annotations

import pytest

from demo.datasets import registry
from tf1pruning.errors import DataError, OptionError


def test_all_data_sets_are_known_by_name():
    assert registry.known() == [
        'cifar10',
        'cifar100',
        'cub200',
        'digits',
        'fashion_mnist',
        'folder',
        'imagenet',
        'mnist',
        'tfrecords',
    ]


@pytest.mark.parametrize(
    ('name', 'folder', 'error', 'message'),
    [
        ('mnst', None, OptionError, "no data set 'mnst'. Nearest names: 'mnist'"),
        ('mnist', None, OptionError, 'needs the folder of its files: --data_dir'),
        ('digits', 'somewhere', OptionError, 'reads no files: leave --data_dir out'),
        ('mnist', '/none/such', DataError, "'/none/such' does not exist"),
    ],
)
def test_a_mistake_says_what_to_do(name, folder, error, message):
    with pytest.raises(error, match=message):
        registry.load(name, folder)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="a data set 'mnist' already"):
        registry.register('mnist')(registry.load)
