"""The keywords and attributes of `Pruning`."""

from __future__ import annotations

import inspect
import os

import pytest

from tests.facade.steps import EXPAND, THRESHOLD, retrained, soft_pruned, stripped
from tests.studies.trained import BLOCK, GATE
from tf1pruning import (
    CheckpointError,
    GraphError,
    OptionError,
    Pruning,
    WorkflowError,
)
from tf1pruning.ckpt.checkpoint import Checkpoint

# The hyperparameter table of the original description.
TABLE = {
    'input_ckpt_path': None,
    'scope_names': [''],
    'scope_conv_dict': {},
    'conv_vars_dict': {},
    'bias_vars_dict': {},
    'pruning_filters_dict': {},
    'pruned_ckpt_path': '',
    'retrained_ckpt_path': '',
    'input_tensors_map': {},
    'ckpt_to_strip': '',
    'strip_nodes_dict': {},
    'strip_vars_dict': {},
    'output_dir': None,
    'output_nodes': 'output',
    'export_ckpt_path': '',
    'export_pb_path': '',
}


@pytest.mark.parametrize('name', TABLE)
def test_every_hyperparameter_is_a_keyword_with_its_default(name):
    default = inspect.signature(Pruning).parameters[name].default

    expected = TABLE[name]
    assert (list(default) if name == 'scope_names' else default) == expected


@pytest.mark.parametrize('name', sorted({*TABLE} - {'input_ckpt_path', 'output_dir'}))
def test_every_hyperparameter_is_readable_under_its_name(checkpoint, name):
    assert getattr(Pruning(checkpoint), name) == TABLE[name]


def test_the_output_dir_is_the_folder_of_the_checkpoint(checkpoint):
    pruning = Pruning(checkpoint)

    assert pruning.input_ckpt_path == checkpoint
    assert pruning.output_dir == os.path.dirname(checkpoint)


def test_failed_rate_is_1_before_the_first_summary(checkpoint):
    assert Pruning(checkpoint).failed_rate == 1.0


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'input_ckpt_path': None}, OptionError, 'input_ckpt_path is missing'),
        ({'input_ckpt_path': ''}, OptionError, 'input_ckpt_path is missing'),
        ({'input_ckpt_path': 'no'}, CheckpointError, "No checkpoint at 'no'"),
        ({'scope_names': 'SE1'}, OptionError, "scope_names is 'SE1'; expected a list"),
        ({'channel_multiple': '4'}, OptionError, "'4'; expected an integer"),
        ({'seed': None}, OptionError, 'seed is None; expected an integer'),
        ({'scope_names': [1]}, OptionError, r'scope_names is \[1\]; expected a list'),
        ({'mode': 'half'}, OptionError, "Mode is 'half'"),
        ({'channel_multiple': 0}, OptionError, 'channel_multiple is 0'),
        ({'output_nodes': ''}, GraphError, "Output nodes ''"),
        ({'scope_conv_dict': {'a': []}}, OptionError, 'scope_conv_dict is computed'),
        ({'strip_vars_dict': {'a': {}}}, OptionError, 'strip_vars_dict is computed'),
    ],
)
def test_a_bad_option_is_named(checkpoint, options, error, message):
    with pytest.raises(error, match=message):
        Pruning(**{'input_ckpt_path': checkpoint, **options})


def test_the_views_are_read_only(new):
    pruning = new()
    pruning.get_pruning_params()

    with pytest.raises(AttributeError):
        pruning.scope_conv_dict = {}
    pruning.scope_conv_dict.clear()
    assert list(pruning.scope_conv_dict) == [BLOCK, GATE]


def test_set_output_dir_makes_nested_folders(new, tmp_path):
    pruning = new()
    folder = str(tmp_path / 'TH0.8' / 'a' / 'b')

    pruning.set_output_dir(folder)

    assert os.path.isdir(folder)
    assert pruning.output_dir == folder


def test_set_output_dir_without_a_folder_goes_back_to_the_checkpoint(new, checkpoint):
    pruning = new()

    pruning.set_output_dir()

    assert pruning.output_dir == os.path.dirname(checkpoint)


# -- set after construction --------------------------------------------------------


def test_a_bad_value_is_refused_when_it_is_set(new):
    pruning = new()

    with pytest.raises(OptionError, match='Mode'):
        pruning.mode = 'soft'
    with pytest.raises(OptionError, match='channel_multiple'):
        pruning.channel_multiple = 0
    with pytest.raises(OptionError, match='scope_names'):
        pruning.scope_names = 'SE1'
    with pytest.raises(GraphError, match='blank'):
        pruning.output_nodes = 'output,'
    assert (pruning.mode, pruning.channel_multiple) == ('block', 4)
    assert (pruning.scope_names, pruning.output_nodes) == ([''], 'output')


def test_mode_and_multiple_count_from_the_next_choice_on(new):
    pruning = new()
    pruning.set_threshold(THRESHOLD)
    pruning.get_pruning_params()
    pruning.mode, pruning.channel_multiple = 'filter', 2

    pruning.get_pruning_filters()

    assert (pruning.plan.mode, pruning.plan.channel_multiple) == ('filter', 2)


@pytest.mark.parametrize(
    ('name', 'value'), [('scope_names', [GATE]), ('output_nodes', 'output')]
)
def test_another_scope_or_output_needs_the_parameters_anew(new, name, value):
    pruning = new()
    pruning.set_threshold(THRESHOLD)
    pruning.get_pruning_params()
    setattr(pruning, name, value)

    with pytest.raises(WorkflowError, match='get_pruning_params'):
        pruning.get_pruning_filters()


def test_scopes_that_are_set_later_choose_the_groups(new):
    pruning = new()
    pruning.scope_names = [GATE]

    pruning.get_pruning_params()

    assert list(pruning.scope_conv_dict) == [GATE]


def test_export_paths_that_are_set_later_are_honoured(new, tmp_path):
    pruning = retrained(soft_pruned(new()), tmp_path / 'retrained')
    pruning.export_ckpt_path = str(tmp_path / 'small')
    pruning.export_pb_path = str(tmp_path / 'small.pb')

    stripped(pruning)

    assert pruning.export_ckpt_path == str(tmp_path / 'small')
    assert Checkpoint(pruning.export_ckpt_path).shapes[EXPAND][3] < 16
    assert os.path.exists(tmp_path / 'small.pb')
