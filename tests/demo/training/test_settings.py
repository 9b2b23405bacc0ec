from __future__ import annotations

import json

import pytest

from demo.training.settings import Settings
from tests.demo.datasets import files
from tf1pruning.errors import OptionError

GOOD = {
    'dataset': 'digits',
    'test_share': 0.2,
    'model': 'small',
    'activation': 'relu6',
    'train_steps': 600,
    'retrain_steps': 200,
    'finetune_steps': 100,
    'thresholds': (0.8, 0.5),
    'max_failure_rate': 0.1,
    'max_retrains': 3,
    'mode': 'block',
    'channel_multiple': 4,
    'optimizer': 'momentum',
    'learning_rate': 0.05,
    'retrain_learning_rate': 0.02,
    'weight_decay': 0.0,
    'l1_decay': 0.0,
    'batch_size': 32,
    'checkpoint_steps': 200,
    'seed': 1,
    'devices': ('cpu:0', 'cpu:1'),
}


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        (
            'dataset',
            'mnits',
            "--dataset is 'mnits'; expected one of cifar10, cifar100, cub200, digits, "
            'fashion_mnist, folder, imagenet, mnist, tfrecords (nearest: mnist).',
        ),
        ('model', 'big', "--model is 'big'; expected one of small, standard, tiny."),
        ('mode', 'x', "--mode is 'x'; expected one of block, filter."),
        ('train_steps', 0, '--train_steps is 0; expected >= 1.'),
        ('learning_rate', -1.0, '--learning_rate is -1.0; expected > 0.'),
        ('learning_rate', float('nan'), '--learning_rate is nan; expected > 0.'),
        ('weight_decay', -0.1, '--weight_decay is -0.1; expected >= 0.'),
        ('max_failure_rate', 2.0, '--max_failure_rate is 2.0; expected 0 to 1.'),
        ('test_share', 1.0, '--test_share is 1.0; expected between 0 and 1.'),
        (
            'devices',
            ('cpu',),
            "--devices: 'cpu' is no device such as gpu:0; "
            '--devices: one device has no copies; give two or more, or none.',
        ),
        ('thresholds', (), '--thresholds is empty.'),
        ('thresholds', (0.5, 0.5), '--thresholds has a value twice.'),
        (
            'thresholds',
            (0.5, 1.2, -0.1),
            '--thresholds has 1.2, -0.1; expected between 0 and 1.',
        ),
    ],
)
def test_a_bad_value_is_named(name, value, message):
    with pytest.raises(OptionError) as error:
        Settings(**{**GOOD, name: value})

    assert str(error.value) == message


def test_all_bad_values_are_named_in_one_line():
    with pytest.raises(OptionError) as error:
        Settings(**{**GOOD, 'batch_size': 0, 'mode': 'x'})

    message = str(error.value)
    assert '--mode' in message
    assert '--batch_size' in message
    assert '\n' not in message


def test_json_gives_the_same_values_back():
    settings = Settings(**GOOD)

    assert Settings.from_json(json.loads(json.dumps(settings.as_json()))) == settings


def test_the_data_set_is_read_from_its_folder(tmp_path):
    files.write_mnist(tmp_path)
    settings = Settings(
        **{**GOOD, 'dataset': 'mnist', 'data_dir': str(tmp_path), 'model': 'tiny'}
    )

    dataset = settings.load_dataset()

    assert (dataset.name, dataset.image, dataset.classes) == ('mnist', (4, 4, 1), 10)


def test_images_that_are_too_small_for_the_model_are_refused(tmp_path):
    files.write_mnist(tmp_path)
    settings = Settings(**{**GOOD, 'dataset': 'mnist', 'data_dir': str(tmp_path)})

    with pytest.raises(OptionError) as error:
        settings.load_dataset()

    assert str(error.value).startswith(
        '--dataset=mnist has images of 4 x 4 pixels; --model=small expects 5 x 5 or '
    )


def test_the_digits_are_split_by_the_settings():
    dataset = Settings(**GOOD).load_dataset()

    assert (dataset.train.count, dataset.test.count) == (1438, 359)


def test_model_config_has_the_activation():
    config = Settings(**{**GOOD, 'activation': 'swish'}).model_config(10, {})

    assert (config.activation, config.classes, config.block_count) == ('swish', 10, 7)
