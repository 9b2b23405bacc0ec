from __future__ import annotations

from benchmarks import freezing, surgery
from demo.networks import mobilenet_v2


def build_tiny(images):
    mobilenet_v2.build(images, mobilenet_v2.tiny(10))


def test_each_phase_is_timed_beside_the_freezing_of_tensorflow(monkeypatch):
    monkeypatch.setattr(freezing, 'BUILDS', [('tiny', build_tiny)])

    found = surgery.run(1)

    assert found['network'] == 'tiny'
    medians = found['median_seconds']
    assert {'load', 'strip', 'write', surgery.TENSORFLOW} <= set(medians)
    assert all(seconds > 0 for seconds in medians.values())
    phases = sum(medians.values()) - medians[surgery.TENSORFLOW]
    assert found['surgery_seconds'] == phases
    assert len(surgery.rows(found)) == len(medians) + 1
