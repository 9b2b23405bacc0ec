"""Arrays -> checkpoint, as a whole or not at all.

The files are written to a temporary folder beside the target and renamed, the index
last: without its index a checkpoint does not exist, so a kill at any moment leaves the
old checkpoint, none, or the new one.
"""

from __future__ import annotations

import os
from typing import List, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import files
from tf1pruning.ckpt.arrays import Arrays, dtype_of
from tf1pruning.errors import OutputError

SHARD_BYTES = 1 << 30


def write_checkpoint(prefix: str, arrays: Arrays, meta: Optional[bytes] = None) -> str:
    """Writes `arrays` as a V2 checkpoint.

    Arrays are read one shard at a time, so a lazy mapping needs memory for about
    `SHARD_BYTES` only.

    Args:
      prefix: path without `.index`.
      arrays: variable name -> array.
      meta: serialized meta graph to put beside it as `.meta`.

    Returns:
      `prefix`.

    Raises:
      OutputError: if the folder cannot be written; nothing is left behind.
    """
    folder, name = os.path.split(prefix)
    with files.staging(folder or '.') as temporary:
        staged = os.path.join(temporary, name)
        try:
            _save(staged, arrays)
        except tf.errors.OpError as error:
            reason = error.message.split('\n')[0].split('; ')[-1]
            raise OutputError(
                f'Checkpoint {prefix!r} cannot be written: {reason}.'
            ) from error
        if meta is not None:
            with open(staged + '.meta', 'wb') as file:
                file.write(meta)
        _remove_old(folder or '.', name)
        for source in sorted(os.listdir(temporary), key=lambda f: f.endswith('.index')):
            files.publish(os.path.join(temporary, source), os.path.join(folder, source))
    _write_state(folder or '.', name)
    return prefix


def _remove_old(folder: str, name: str) -> None:
    """Removes an older checkpoint of the same name, its index first.

    The index must not describe new data, not even for a moment; and no shard or meta
    graph of the old one may stay beside the new one.
    """
    old = {f'{name}.index', f'{name}.meta'}
    found = [f for f in os.listdir(folder) if f in old or f.startswith(f'{name}.data-')]
    for file in sorted(found, key=lambda f: not f.endswith('.index')):
        os.remove(os.path.join(folder, file))


def _write_state(folder: str, name: str) -> None:
    files.write_text(
        os.path.join(folder, 'checkpoint'),
        f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n',
    )


def _save(prefix: str, arrays: Arrays) -> None:
    shards = _shards(arrays)
    if len(shards) == 1:
        _save_shard(prefix, shards[0], arrays)
        return
    parts = [f'{prefix}_part{i:05d}' for i in range(len(shards))]
    for part, keys in zip(parts, shards):
        _save_shard(part, keys, arrays)
    with tf.Graph().as_default(), tf.Session() as session:
        session.run(
            tf.raw_ops.MergeV2Checkpoints(
                checkpoint_prefixes=parts,
                destination_prefix=prefix,
                delete_old_dirs=False,
            )
        )


def _shards(arrays: Arrays) -> List[List[str]]:
    shards: List[List[str]] = [[]]
    filled = 0
    for key in sorted(arrays):
        count = int(np.prod(arrays.shapes[key], dtype=np.int64))
        size = count * arrays.dtypes[key].size
        if shards[-1] and filled + size > SHARD_BYTES:
            shards.append([])
            filled = 0
        shards[-1].append(key)
        filled += size
    return shards


def _save_shard(prefix: str, keys: List[str], arrays: Arrays) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        values = [arrays[key] for key in keys]
        feeds = [tf.placeholder(dtype_of(value), value.shape) for value in values]
        save = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=keys,
            shape_and_slices=[''] * len(keys),
            tensors=feeds,
        )
        session.run(save, dict(zip(feeds, values)))
