"""Protects the sources of new files from being replaced by them."""

from __future__ import annotations

import os
from typing import Optional, Sequence

from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.errors import OutputError
from tf1pruning.graph.meta_graphs import saved_model

# What a model may consist of, besides the data of a checkpoint.
_PARTS = (
    '',
    '.index',
    '.meta',
    f'/{saved_model.SAVED_MODEL_FILE}',
    f'/{saved_model.VARIABLES_PREFIX}.index',
)


def check_target(path: str, sources: Sequence[Optional[str]]) -> None:
    """Refuses a new file, folder or checkpoint that would replace a source of its own.

    Args:
      path: of a file or folder, or prefix of a checkpoint.
      sources: checkpoints, SavedModel folders, other files; None is no path.

    Raises:
      OutputError: if a part of a source would be replaced.
    """
    if any(replaces(path, source) for source in sources if source):
        raise OutputError(
            f'The new file would replace its own source {path!r}. Choose another '
            'output folder or path.'
        )


def replaces(path: str, model: str) -> bool:
    """Whether a new file, folder or checkpoint takes the place of a part of a model.

    Args:
      path: of a file or folder, or prefix of a checkpoint.
      model: prefix, file or folder of a checkpoint, SavedModel folder, or another file.
    """
    prefix = checkpoint_lib.newest(model) if os.path.isdir(model) else None
    parts = {_whole((prefix or model) + ending) for ending in _PARTS}
    parts.add(_whole(os.path.join(os.path.dirname(prefix or model), 'checkpoint')))
    below = os.path.join(os.path.realpath(path), '')
    return _whole(path) in parts or any(part.startswith(below) for part in parts)


def _whole(path: str) -> str:
    """What a path leads to; of a checkpoint the prefix."""
    return checkpoint_lib.prefix_of(os.path.realpath(path))
