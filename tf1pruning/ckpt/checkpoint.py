"""A checkpoint as a lazy, read-only mapping from variable name to array."""

from __future__ import annotations

import glob
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import files, names
from tf1pruning.ckpt import objects
from tf1pruning.ckpt.arrays import Arrays
from tf1pruning.ckpt.objects import Objects, SavedObjects
from tf1pruning.errors import CheckpointError, first_line

_FILE = re.compile(r'(.+)\.(?:index|meta|data-\d+-of-\d+)')


class Checkpoint(Arrays):
    """Variables of a checkpoint on disk; an array is read when it is asked for.

    In an object-based checkpoint (tf.keras, `tf.train.Checkpoint`) variables have the
    names that they have in the graph, too, and what is no variable is left out.

    Args:
      prefix: path without `.index`, as `tf.train.Saver` returns it.
      saved: objects of the SavedModel whose variables these are; they know more than
        names do.

    Attributes:
      is_object_based: whether the keys on disk are paths of objects.

    Raises:
      CheckpointError: if no checkpoint is there, its files are damaged, or its
        variables cannot be told apart by name.
    """

    def __init__(self, prefix: str, saved: Optional[SavedObjects] = None):
        self.prefix = str(prefix)
        self._reader = _open(self.prefix)
        shapes = self._reader.get_variable_to_shape_map()
        dtypes = self._reader.get_variable_to_dtype_map()
        self.is_object_based = objects.GRAPH_KEY in shapes
        self._keys = dict(zip(shapes, shapes))
        if self.is_object_based:
            self._keys = self._names(saved)
        keys = sorted(self._keys.items())
        self.shapes = {name: tuple(shapes[key]) for name, key in keys}
        self.dtypes = {name: dtypes[key] for name, key in keys}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.shapes:
            hint = names.did_you_mean(name, self.shapes)
            raise CheckpointKeyError(
                f'Checkpoint {self.prefix!r} has no variable {name!r}. {hint}'
            )
        try:
            return np.asarray(self._reader.get_tensor(self._keys[name]))
        except (tf.errors.OpError, IndexError) as error:
            raise CheckpointError(
                f'Variable {name!r} cannot be read from {self.prefix!r}: its data file '
                f'is truncated or damaged ({first_line(error)}).'
            ) from error

    def disk_key(self, name: str) -> str:
        """What a variable is called in the files."""
        return self._keys[name]

    def _names(self, saved: Optional[SavedObjects]) -> Dict[str, str]:
        """Variable name, or its node in a SavedModel -> key on disk."""
        try:
            found = Objects(self._reader.get_tensor(objects.GRAPH_KEY))
            by_node = found.keys_by_node(saved) if saved else {}
            taken = set(by_node.values())
            by_name = {
                name: keys
                for name, keys in found.keys_by_name().items()
                if taken.isdisjoint(keys)
            }
            self._check_alike(by_name)
            return {**{name: keys[0] for name, keys in by_name.items()}, **by_node}
        except (tf.errors.OpError, CheckpointError) as error:
            raise CheckpointError(
                f'Checkpoint {self.prefix!r} cannot be read: {first_line(error)}.'
            ) from error

    def _check_alike(self, keys_by_name: Mapping[str, Sequence[str]]) -> None:
        """Raises CheckpointError if arrays of the same name differ."""
        several = [
            f'{name!r} is {names.quoted(sorted(keys))}'
            for name, keys in sorted(keys_by_name.items())
            if not self._are_equal(keys)
        ]
        if several:
            raise CheckpointError(
                'Variables of the same name have other values: '
                f'{"; ".join(several)}. Save with tf.train.Saver, or give each '
                'variable a name of its own'
            )

    def _are_equal(self, keys: Sequence[str]) -> bool:
        first, *others = keys
        array = self._reader.get_tensor(first) if others else None
        return all(np.array_equal(array, self._reader.get_tensor(k)) for k in others)

    @property
    def meta_path(self) -> str:
        """Path of the meta graph that a Saver writes beside the checkpoint."""
        return self.prefix + '.meta'


class CheckpointKeyError(CheckpointError, KeyError):
    """A variable that the checkpoint does not hold."""

    def __str__(self) -> str:
        return str(self.args[0])


def prefix_of(path: str) -> str:
    """Prefix of the checkpoint that a file is part of; else the path itself.

    >>> prefix_of('model.ckpt.data-00000-of-00001'), prefix_of('frozen.pb')
    ('model.ckpt', 'frozen.pb')
    """
    whole = _FILE.fullmatch(path)
    return whole.group(1) if whole else path


def _open(prefix: str) -> Any:
    _check_files(prefix)
    whole = prefix_of(prefix)
    if whole != prefix and os.path.exists(whole + '.index'):
        raise CheckpointError(
            f'{prefix!r} is one file of a checkpoint. Give the prefix of all its '
            f'files: {whole!r}.'
        )
    if not os.path.exists(prefix + '.index') and not os.path.isfile(prefix):
        folder = prefix if os.path.isdir(prefix) else os.path.dirname(prefix) or '.'
        raise CheckpointError(
            f'No checkpoint at {prefix!r}: expected {prefix + ".index"!r}. '
            f'{found_in(folder)}'
        )
    try:
        return tf.train.NewCheckpointReader(prefix)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        if not os.path.exists(prefix + '.index'):
            raise CheckpointError(
                f'{prefix!r} is not a checkpoint. Expected the prefix of one, the '
                'folder of a SavedModel, or a frozen graph (.pb).'
            ) from error
        if glob.escape(prefix) != prefix or '\\' in prefix:
            raise CheckpointError(
                f'Checkpoint {prefix!r} cannot be opened: TensorFlow reads the path as '
                'a pattern of several names. Expected a path without [ ] * ? and '
                'backslash; rename the folder or link to it.'
            ) from error
        raise CheckpointError(
            f'Checkpoint {prefix!r} cannot be opened: {first_line(error)}. Its index '
            'or data file is missing, truncated or damaged.'
        ) from error


def _check_files(prefix: str) -> None:
    """Raises CheckpointError for files that are not to be opened."""
    folder, name = os.path.split(prefix)
    try:
        files.check_name(prefix)
        for file in files_of(folder or '.', name):
            files.check_regular(os.path.join(folder, file))
    except OSError as error:
        raise CheckpointError(
            f'Checkpoint {error.filename!r} cannot be read: {files.reason(error)}.'
        ) from error


def files_of(folder: str, name: str) -> List[str]:
    """The files of the checkpoint `name` in a folder; none if there is no such folder.

    Raises:
      OSError: if the folder cannot be listed.
    """
    found = os.listdir(folder) if os.path.isdir(folder) else []
    whole = (f'{name}.index', f'{name}.meta')
    return [f for f in found if f in whole or f.startswith(f'{name}.data-')]


def found_in(folder: str) -> str:
    """Which checkpoints a folder holds, as a sentence."""
    if not os.path.isdir(folder):
        return f'The folder {folder!r} does not exist.'
    try:
        inside = os.listdir(folder)
    except OSError as error:
        return f'The folder {folder!r} cannot be listed: {files.reason(error)}.'
    found = [file[: -len('.index')] for file in inside if file.endswith('.index')]
    if not found:
        return f'There is no checkpoint in {folder!r}.'
    return f'Checkpoints there: {names.quoted(sorted(found))}.'


def latest(folder: str) -> str:
    """Prefix of the newest checkpoint in `folder`.

    Raises:
      CheckpointError: if there is none.
    """
    prefix = newest(folder)
    if prefix is None:
        raise CheckpointError(
            f'No checkpoint in {folder!r}: expected the `checkpoint` file that '
            'training leaves there. Train into this folder first.'
        )
    return prefix


def state(folder: str) -> Any:
    """What the file `checkpoint` in a folder says, as a proto; None if there is none.

    Raises:
      CheckpointError: if it cannot be read.
    """
    path = os.path.join(folder, 'checkpoint')
    try:
        files.read_text(path)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f'{path!r} cannot be read: {files.reason(error)}. Remove it, or give the '
            'prefix of a checkpoint.'
        ) from error
    return tf.train.get_checkpoint_state(folder)


def newest(folder: str) -> Optional[str]:
    """Prefix of the newest checkpoint in `folder`, which may have been moved.

    None: the file `checkpoint` is missing, or the checkpoint that it names.

    Raises:
      CheckpointError: if the file `checkpoint` cannot be read.
    """
    known = state(folder)
    named = known.model_checkpoint_path if known else ''
    here = os.path.join(folder, os.path.basename(named))
    for prefix in (named, here):
        if os.path.isdir(os.path.dirname(prefix)) and tf.train.checkpoint_exists(
            prefix
        ):
            return prefix
    return None
