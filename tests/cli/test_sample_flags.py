from __future__ import annotations

import numpy as np
import pytest
from absl import flags

import tf1pruning as tp
from tests import networks
from tests.demo.datasets import files
from tf1pruning.cli import model_flags, program, sample_flags


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp('model')
    graph = networks.inverted_residual_net()
    return tp.load(networks.save(graph, str(folder / 'model.ckpt')), ['output'])


@pytest.fixture
def parse():
    """Takes arguments of a program that has these flags."""
    before = set(flags.FLAGS)
    sample_flags.define()
    sample_flags.define_labels()
    model_flags.define_limits()
    yield lambda *arguments: flags.FLAGS(['program', *map(str, arguments)])
    flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)


def test_images_are_read_as_the_flags_say(model, parse, tmp_path):
    for number in range(4):
        files.write_image(tmp_path / f'{number}.png', 255, (8, 8))
    parse('--data', tmp_path, '--image_size=8', '--image_range', '-1,1', '--mean=0.5',
          '--std=1,2,4', '--bgr', '--samples=3', '--batch_size=2')  # fmt: skip

    samples, _ = sample_flags.samples(model)

    assert (samples.count, samples.batch_size) == (3, 2)
    assert samples.first(1)['input'][0, 0, 0].tolist() == [0.5, 0.25, 0.125]


def test_what_was_done_to_the_data_is_printed(model, parse, tmp_path, capsys):
    path = tmp_path / 'data.npz'
    np.savez(path, a=np.zeros([3, 8, 8, 3], np.uint8), y=np.arange(3))
    parse('--data', path, '--inputs=a=input', '--labels=y')

    samples, warned = sample_flags.samples(model)

    assert samples.labels.tolist() == [0, 1, 2]
    printed = capsys.readouterr().out
    assert 'is of type uint8 and is fed as float32' in printed
    (warning,) = warned
    assert warning.startswith('The data does not look like that of the training')
    assert warning.endswith('Arrays are fed as they are: scale them before.')
    assert printed.endswith(f'Warning: {warning}\n')


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('--image_size=1,2,3', '--image_size has 3 numbers; expected 1 or 2'),
        ('--image_size=1.5', r'--image_size is \[1\.5\]; expected whole numbers'),
        ('--image_range=1', '--image_range has 1 numbers; expected 2'),
        ('--mean=a', "--mean is 'a'; expected numbers"),
        ('--inputs=a', "--inputs has 'a'; expected array=input"),
    ],
)
def test_a_malformed_flag_is_named(model, parse, argument, message):
    parse('--data=x.npz', argument)

    with pytest.raises(tp.OptionError, match=message):
        sample_flags.samples(model)


def test_messages_name_the_flag_of_temporary_files(parse):
    parse('--data=graph')
    said = program.with_flags('Allow more.', ('samples', 'disk'))
    assert said == 'Allow more. See --samples, --temporary_gb.'


@pytest.mark.parametrize('value', ['nan', 'inf', '1e300'])
def test_a_size_of_files_that_is_no_number_is_refused(parse, value):
    parse('--data=x.npz', f'--temporary_gb={value}')

    with pytest.raises(tp.OptionError, match='--temporary_gb is'):
        sample_flags.disk()
