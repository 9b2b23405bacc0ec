from __future__ import annotations

from benchmarks import surgery


def test_each_phase_is_timed_beside_the_freezing_of_tensorflow():
    found = surgery.run(1)

    medians = found['median_seconds']
    assert {'load', 'strip', 'write', surgery.TENSORFLOW} <= set(medians)
    assert all(seconds > 0 for seconds in medians.values())
    phases = sum(medians.values()) - medians[surgery.TENSORFLOW]
    assert found['surgery_seconds'] == phases
    assert len(surgery.rows(found)) == len(medians) + 1
