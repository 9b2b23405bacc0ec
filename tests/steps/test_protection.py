from __future__ import annotations

import shutil

import pytest

from tests.tools import models
from tf1pruning.errors import OutputError
from tf1pruning.steps import protection


@pytest.mark.parametrize(
    'name',
    [
        'model.ckpt.index',
        'model.ckpt.meta',
        'model.ckpt.data-00000-of-00001',
        'checkpoint',
    ],
)
def test_a_folder_of_checkpoints_protects_its_newest(tmp_path, name):
    models.checkpoint(str(tmp_path))

    with pytest.raises(OutputError, match='its own source'):
        protection.check_target(str(tmp_path / name), [str(tmp_path)])


def test_a_file_beside_a_checkpoint_is_free(tmp_path):
    prefix = models.checkpoint(str(tmp_path))

    protection.check_target(str(tmp_path / 'groups.json'), [str(tmp_path), prefix])


def test_a_meta_graph_from_elsewhere_is_protected(tmp_path):
    prefix = models.checkpoint(str(tmp_path / 'model'))
    meta = str(tmp_path / 'stripped.ckpt.meta')
    shutil.copy(prefix + '.meta', meta)

    with pytest.raises(OutputError, match='its own source'):
        protection.check_target(str(tmp_path / 'stripped.ckpt'), [prefix, meta])
