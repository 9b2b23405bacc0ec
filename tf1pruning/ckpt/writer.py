"""Writes checkpoints as a whole or not at all.

The files are written to a temporary folder beside the target, synced and renamed: data,
index, meta graph. Without its index a checkpoint does not exist. The number of shards,
which is part of their names, is never one that is there already, so the old index and
its data stay whole until the new index takes its place. (A checkpoint of one variable
cannot be split; there the old index goes first.) The old meta graph goes before all
else, so it never describes new variables: a kill leaves the old checkpoint, one without
a meta graph, or the new one.
"""

from __future__ import annotations

import os
from typing import Collection, List, Optional, Set

import tensorflow.compat.v1 as tf

from tf1pruning import files, names
from tf1pruning.ckpt import checkpoint
from tf1pruning.ckpt.arrays import Arrays, dtype_of
from tf1pruning.errors import OutputError, first_line

SHARD_BYTES = 1 << 26


def write_checkpoint(prefix: str, arrays: Arrays, meta: Optional[bytes] = None) -> str:
    """Writes `arrays` as a V2 checkpoint.

    Arrays are read one shard at a time, so a lazy mapping needs memory for about
    `SHARD_BYTES` or the largest array only.

    Args:
      prefix: path without `.index`.
      arrays: variable name -> array.
      meta: serialized meta graph to put beside it as `.meta`.

    Returns:
      `prefix`.

    Raises:
      OutputError: if the folder cannot be written; nothing is left behind.
    """
    with files.staging(os.path.dirname(prefix) or '.') as temporary:
        try:
            save(temporary, prefix, arrays, meta)
        except OutputError as error:
            raise OutputError(
                f'Checkpoint {prefix!r} cannot be written: {error}'
            ) from error
        publish(temporary, prefix)
    return prefix


def check_state(prefix: str, overwrite: bool) -> None:
    """Protects the file `checkpoint` of a folder that holds other checkpoints.

    Training goes on from the checkpoint that this file names, and a new checkpoint
    makes it name itself.

    Args:
      prefix: of the checkpoint that is going to be written.
      overwrite: whether the file may change.

    Raises:
      OutputError: if it names other checkpoints and must not change.
    """
    folder, name = os.path.split(prefix)
    state = checkpoint.state(folder or '.')
    if state is None or overwrite:
        return
    found = [os.path.basename(path) for path in state.all_model_checkpoint_paths]
    others = [other for other in found if other != name]
    if others:
        path = os.path.join(folder, 'checkpoint')
        raise OutputError(
            f'{path!r} names {names.quoted(others)}; with {name!r} there, a training '
            'in this folder would continue from that. Choose another folder, or '
            'overwrite the file, so that it names the new checkpoint.',
            options=('overwrite',),
        )


def save(staged: str, prefix: str, arrays: Arrays, meta: Optional[bytes]) -> None:
    """Writes the files of a checkpoint where nobody looks for them yet.

    Args:
      staged: folder to write them to.
      prefix: where `publish` will put them.
      arrays: see `write_checkpoint`.
      meta: see `write_checkpoint`.

    Raises:
      OutputError: with TensorFlow's reason, if they cannot be written.
    """
    target = os.path.join(staged, os.path.basename(prefix))
    try:
        _save(target, _shards(arrays, _shard_counts(prefix)), arrays)
    except tf.errors.OpError as error:
        reason = first_line(error).split('; ')[-1]
        raise OutputError(f'{reason}.') from error
    if meta is not None:
        with open(target + '.meta', 'wb') as file:
            file.write(meta)


def publish(staged: str, prefix: str) -> None:
    """Renames the files of a checkpoint on the same disk: data, index, meta graph.

    Args:
      staged: folder where `save` wrote them.
      prefix: where they go; an older checkpoint of the same name is replaced.
    """
    folder, name = os.path.split(prefix)
    folder = folder or '.'
    new = sorted(checkpoint.files_of(staged, name))  # .data-..., .index, .meta
    old = checkpoint.files_of(folder, name)
    for file in new:
        files.sync(os.path.join(staged, file))
    files.remove(prefix + '.meta')
    if any('.data-' in file for file in set(new).intersection(old)):
        # The old index must not describe new data, not even for a moment.
        os.remove(prefix + '.index')
    for file in new:
        os.replace(os.path.join(staged, file), os.path.join(folder, file))
    files.sync(folder)
    for file in set(old).difference(new, [f'{name}.index', f'{name}.meta']):
        os.remove(os.path.join(folder, file))
    files.write_text(
        os.path.join(folder, 'checkpoint'),
        f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n',
    )


def _shard_counts(prefix: str) -> Set[int]:
    """Numbers of shards of older data of the same name."""
    folder, name = os.path.split(prefix)
    return {
        int(file.rpartition('-')[2])
        for file in checkpoint.files_of(folder or '.', name)
        if file.rpartition('-')[2].isdigit()
    }


def _save(prefix: str, shards: List[List[str]], arrays: Arrays) -> None:
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


def _shards(arrays: Arrays, taken: Collection[int]) -> List[List[str]]:
    """The variables of each shard; as many shards as no older checkpoint has."""
    shards: List[List[str]] = [[]]
    filled = 0
    for key in sorted(arrays):
        size = arrays.nbytes_of(key)
        if shards[-1] and filled + size > SHARD_BYTES:
            shards.append([])
            filled = 0
        shards[-1].append(key)
        filled += size
    while len(shards) in taken and any(len(shard) > 1 for shard in shards):
        longest = max(shards, key=len)
        shards.append(longest[len(longest) // 2 :])
        del longest[len(longest) // 2 :]
    return shards


def _save_shard(prefix: str, keys: List[str], arrays: Arrays) -> None:
    values = [arrays[key] for key in keys]
    with tf.Graph().as_default(), tf.Session() as session:
        # One op for all of them: as many placeholders take six times as long.
        tensors = tf.numpy_function(
            lambda: values, [], [dtype_of(value) for value in values]
        )
        save = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=keys,
            shape_and_slices=[''] * len(keys),
            tensors=tensors,
        )
        session.run(save)
    # The graph, which the collector finds much later, keeps the list.
    values.clear()
