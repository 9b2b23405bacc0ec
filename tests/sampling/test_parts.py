from __future__ import annotations

import numpy as np
import pytest

from tf1pruning.errors import DataError, OptionError
from tf1pruning.sampling.parts import Samples, Source


def source(total, labels=None):
    def read(rows, size):
        starts = range(0, len(rows), size)
        return ({'x': rows[start : start + size]} for start in starts)

    return Source(total, read, labels)


def drawn(total, size=4, **options):
    return Samples.drawn(source(total), size, **options)


@pytest.mark.parametrize(
    ('count', 'holdout', 'sizes'),
    [(3, 0.2, (1, 1, 1)), (10, 0.2, (8, 1, 1)), (100, 0.5, (50, 25, 25))],
)
def test_parts_have_all_examples_and_none_in_common(count, holdout, sizes):
    parts = drawn(count).split(holdout)

    rows = [set(part.first(part.count)['x']) for part in parts]
    assert tuple(map(len, rows)) == sizes
    assert set.union(*rows) == set(range(count))
    again = drawn(count).split(holdout)
    assert [p.rows.tolist() for p in parts] == [p.rows.tolist() for p in again]


def test_parts_are_drawn_from_everywhere():
    report = drawn(1000).split(0.2).report

    assert 400 < report.rows.mean() < 600


def test_labels_go_with_their_examples():
    samples = Samples.drawn(source(20, np.arange(20) * 10), 4)

    part = samples.split(0.4).choose

    assert part.count == 4
    assert part.labels.tolist() == (part.first(4)['x'] * 10).tolist()
    assert drawn(20).labels is None


def test_so_many_at_most_are_drawn():
    samples = drawn(1000, count=10)

    assert samples.count == 10
    assert 200 < samples.rows.mean() < 800
    assert drawn(5, count=10).count == 5


def test_a_network_that_takes_whole_batches_gets_no_others():
    samples = drawn(30, 4, whole=True)

    assert (samples.count, samples.batches.count) == (28, 7)
    for part in samples.split(0.5):
        sizes = {len(batch['x']) for batch in part.batches.start()}
        assert sizes == {4}
    assert drawn(30, 4).batches.count == 8
    assert len(drawn(30, 4, whole=True).first(1)['x']) == 4


@pytest.mark.parametrize(
    ('make', 'error', 'message'),
    [
        (lambda: drawn(2).split(), DataError, '2 examples; expected at least 3: 1 '),
        (lambda: drawn(1).split(), DataError, 'has 1 examples'),
        (lambda: drawn(11, whole=True).split(), DataError, 'at least 12: 4 each'),
        (lambda: drawn(3, whole=True), DataError, 'fewer than 4 examples'),
        (lambda: drawn(0), DataError, 'fewer than 1 examples'),
        (lambda: drawn(9).split(1.0), OptionError, 'held out is 1.0; .* 0 and 1'),
        (lambda: drawn(9, 0), OptionError, 'batch size is 0'),
    ],
)
def test_too_few_examples_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
