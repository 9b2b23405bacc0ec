"""Writes a checkpoint again and again, and is killed again and again.

Prints, per kill, the distinct values that the checkpoint then holds; each version of it
holds one.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from typing import List, Optional, Tuple

import numpy as np

from tf1pruning.ckpt import writer
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.ckpt.checkpoint import Checkpoint

ROUNDS = 15


def write_forever(prefix: str, first: int) -> None:
    for value in itertools.count(first):
        arrays = {f'w{i}': np.full([1000], value, np.float32) for i in range(4)}
        writer.write_checkpoint(prefix, ArraysInMemory(arrays), b'meta')


def version(prefix: str) -> Optional[Tuple[int, int]]:
    """Tells one checkpoint from the next; None while there is none."""
    try:
        found = os.stat(prefix + '.index')
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def killed(prefix: str, number: int) -> List[float]:
    before = version(prefix)
    child = os.fork()
    if not child:
        write_forever(prefix, 1000 * number)
    # However slow the machine is, the child writes before it is killed.
    while version(prefix) in (before, None):
        time.sleep(0.001)
    time.sleep(0.007 * number)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return sorted({float(v) for array in Checkpoint(prefix).values() for v in array})


if __name__ == '__main__':
    print(json.dumps([killed(sys.argv[1], number) for number in range(ROUNDS)]))
