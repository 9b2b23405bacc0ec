"""Arrays that lie in temporary files, within a limit."""

from __future__ import annotations

import numpy as np

from tf1pruning.recovery.store import Disk, Store

ARRAY = np.arange(12.0).reshape(3, 4)


def test_a_mapped_array_is_equal_and_outlives_the_store():
    disk = Disk(1000)
    store = Store(disk)

    mapped = store.mapped(ARRAY)
    assert disk.used == ARRAY.nbytes
    store.close()

    assert (disk.used, disk.peak) == (0, ARRAY.nbytes)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, ARRAY)
    assert not mapped.flags.writeable


def test_what_does_not_fit_stays_in_memory():
    assert Store(Disk(ARRAY.nbytes - 1)).mapped(ARRAY) is ARRAY


def test_single_numbers_keep_their_shape():
    store = Store(Disk(1000))
    store.append('scale', np.array(2.0))

    assert store.read('scale', 0).shape == ()
    store.close()
