from __future__ import annotations

import os
import shutil

import pytest

from tests.studies import trained
from tf1pruning import OutputError, Pruning


@pytest.fixture
def below_a_file(tmp_path):
    """A folder that cannot be made, even by root."""
    (tmp_path / 'file').write_text('not a folder')
    return str(tmp_path / 'file' / 'out')


def test_an_output_dir_that_cannot_be_made(refused, new, below_a_file):
    refused(
        OutputError,
        'file/out.* cannot be made: Not a directory',
        new().set_output_dir,
        below_a_file,
    )


@pytest.mark.parametrize('step', ['get_pruning_params', 'pruning_process'])
def test_an_output_dir_that_cannot_be_written(refused, checkpoint, below_a_file, step):
    pruning = Pruning(checkpoint, output_dir=below_a_file)
    pruning.set_threshold(0.6)

    refused(OutputError, 'file/out', getattr(pruning, step))


@pytest.mark.parametrize(
    ('step', 'folder'),
    [
        ('get_pruning_params', 'Pruning_Dict'),
        ('get_pruning_filters', 'Pruning_Dict'),
        ('get_pruning_ckpt', 'Pruned_Dir'),
        ('get_pruning_summary', 'events'),
        ('get_rebuild_graph', 'Rebuild_CKPT'),
        ('get_strip_params', 'Pruning_Dict'),
        ('get_strip_ckpt', 'Stripped_Dir'),
    ],
)
def test_a_file_in_the_place_of_a_folder(new, tmp_path, step, folder):
    pruning = new()
    out = tmp_path / 'out'
    for needed in (
        'get_pruning_params',
        'get_pruning_filters',
        'get_pruning_ckpt',
        'get_retrained_ckpt',
        'get_pruning_summary',
        'get_rebuild_graph',
        'get_strip_params',
        'get_strip_ckpt',
    ):
        if needed == step:
            break
        at = (os.path.dirname(pruning.pruned_ckpt_path),)
        getattr(pruning, needed)(*at if needed == 'get_retrained_ckpt' else ())
    shutil.rmtree(str(out / folder), ignore_errors=True)
    out.mkdir(exist_ok=True)
    (out / folder).write_text('not a folder')

    with pytest.raises(OutputError, match=folder):
        getattr(pruning, step)()

    assert (out / folder).read_text() == 'not a folder'
    assert not [name for name in trained.contents(tmp_path) if '.tmp-' in name]
