"""Reads regular files only, and writes whole files or none.

A pipe, a socket or a device is never opened: it may wait, never end, or act. Outputs
are written to a temporary name and then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
import tempfile
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Mapping, Union

from tf1pruning.errors import OutputError

# A path that a public function takes.
if TYPE_CHECKING:
    Path = Union[str, 'os.PathLike[str]']
else:
    Path = Union[str, os.PathLike]

TEMPORARY = '.tmp-'
# A proto cannot be larger, and no other file that is read as a whole comes near it.
LARGEST = 1 << 31


def check_regular(path: str) -> None:
    """Refuses what is no file that can be read to its end.

    Raises:
      OSError: if it is missing, a folder, a pipe, a socket or a device, or its name is
        none that TensorFlow takes.
    """
    check_name(path)
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, 'It is a pipe, socket or device, no file', path)


def check_name(path: str) -> None:
    """Raises OSError for a path that is not UTF-8, or holds a zero byte."""
    try:
        is_bad = b'\0' in path.encode('utf-8')
    except UnicodeEncodeError:
        is_bad = True
    if is_bad:
        raise OSError(errno.EILSEQ, 'The name is not UTF-8; rename it', path)


def read_bytes(path: str, largest: int = LARGEST) -> bytes:
    """The content of a regular file.

    Args:
      path: of the file.
      largest: bytes that it may have.

    Raises:
      OSError: like `check_regular`, or if it is too large or cannot be read.
    """
    check_regular(path)
    size = os.path.getsize(path)
    if size > largest:
        said = f'It has {size:,} bytes; expected at most {largest:,}'
        raise OSError(errno.EFBIG, said, path)
    with open(path, 'rb') as file:
        return file.read()


def read_text(path: str) -> str:
    """The content of a regular UTF-8 text file.

    Raises:
      OSError: like `read_bytes`.
      UnicodeDecodeError: if it is not UTF-8.
    """
    return read_bytes(path).decode('utf-8')


def read_json(path: str) -> Any:
    """The value in a JSON file.

    Raises:
      OSError: like `read_bytes`.
      ValueError: if it is not UTF-8 or no JSON.
    """
    try:
        return json.loads(read_text(path))
    except RecursionError as error:
        raise ValueError('it is nested too deeply') from error


def reason(error: Exception) -> str:
    """Why a file cannot be used, of what the functions above raise."""
    said = str(getattr(error, 'strerror', None) or error).rstrip('.')
    return said or type(error).__name__


def make_folder(path: str) -> str:
    """Makes a folder and its parents; returns `path`.

    Raises:
      OutputError: if it cannot be made or written.
    """
    try:
        check_name(path)
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f'Output folder {path!r} cannot be made: {error.strerror}.'
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(f'Output folder {path!r} is not writable.')
    return path


def check_new(paths: Iterable[str], overwrite: bool) -> None:
    """Protects files and folders that are there already.

    Args:
      paths: what is going to be written.
      overwrite: whether it may replace what is there.

    Raises:
      OutputError: names all that is there, unless it may be replaced.
    """
    found = [path for path in paths if os.path.lexists(path)]
    if found and not overwrite:
        listed = ', '.join(repr(path) for path in found)
        raise OutputError(
            f'There is output already: {listed}. Overwrite it, or choose another '
            'folder.',
            options=('overwrite',),
        )


@contextlib.contextmanager
def staging(folder: str) -> Iterator[str]:
    """A temporary folder inside `folder`, gone at the end whatever happens.

    A folder that was made here and is still empty at the end goes, too.

    Raises:
      OutputError: if the disk is full or the folder cannot be written.
    """
    is_new = not os.path.isdir(folder)
    make_folder(folder)
    try:
        temporary = tempfile.mkdtemp(prefix=TEMPORARY, dir=folder)
    except OSError as error:
        raise OutputError(
            f'Output folder {folder!r} is not writable: {error.strerror}.'
        ) from error
    try:
        yield temporary
    except OSError as error:
        raise OutputError(f'Cannot write into {folder!r}: {error.strerror}.') from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if is_new and not os.listdir(folder):
            os.rmdir(folder)


@contextlib.contextmanager
def set_aside(path: str) -> Iterator[None]:
    """Moves a file out of the way until what it belongs to is replaced, and removes it.

    If that fails, the file comes back. A kill leaves it aside: it never stands beside
    what it does not belong to.

    Raises:
      OutputError: like `staging`.
    """
    with staging(os.path.dirname(path) or '.') as temporary:
        aside = os.path.join(temporary, 'aside')
        if os.path.lexists(path):
            os.replace(path, aside)
            sync(os.path.dirname(path) or '.')
        try:
            yield
        except BaseException:
            if os.path.lexists(aside):
                os.replace(aside, path)
            raise


def publish(source: str, target: str) -> None:
    """Syncs the file `source` and renames it to `target` on the same disk.

    Raises:
      OSError: if the target is a folder, or a device and the like: these stay.
    """
    if os.path.exists(target):
        check_regular(target)
    sync(source)
    os.replace(source, target)


def remove(path: str) -> None:
    """Removes a file, if there is one, for good."""
    if os.path.lexists(path):
        os.remove(path)
        sync(os.path.dirname(path) or '.')


def sync(path: str) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_folder(source: str, target: str) -> None:
    """Syncs the files in the folder `source` and renames it to `target`.

    What is there moves aside first, into the folder that holds `source`: a folder
    cannot be renamed onto another one, or onto a file.
    """
    for base, _, found in os.walk(source):
        for name in found:
            sync(os.path.join(base, name))
    if os.path.lexists(target):
        os.replace(target, source + '.old')
    os.replace(source, target)


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file as a whole.

    Raises:
      OutputError: if it cannot be written; an older file is then untouched.
    """
    folder, name = os.path.split(path)
    with staging(folder or '.') as temporary:
        source = os.path.join(temporary, name)
        with open(source, 'wb') as file:
            file.write(data)
        publish(source, path)


def write_text(path: str, text: str) -> None:
    """Writes a UTF-8 text file as a whole.

    Raises:
      OutputError: like `write_bytes`.
    """
    write_bytes(path, text.encode('utf-8'))


def write_json(path: str, value: Mapping[str, Any]) -> None:
    """Writes a JSON file as a whole, indented, with a final newline.

    Raises:
      OutputError: like `write_bytes`.
    """
    write_text(path, json.dumps(value, indent=2) + '\n')
