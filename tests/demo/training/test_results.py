from __future__ import annotations

import dataclasses
import json

import pytest

from demo.training.results import (
    FROM_SCRATCH,
    KINDS,
    ModelFigures,
    Results,
    StepFigures,
    UntrainedFigures,
    from_json,
)

RESULTS = Results(
    models={
        'original': ModelFigures(103660, 6758048, 5000000, 420000, 0.512, 0.9861),
        'soft_pruned': ModelFigures(103660, 6758048, 5000000, 420000, 0.5, 0.98),
        'stripped': ModelFigures(51830, 3379024, 2000000, 210000, 0.256, 0.98),
        'fine_tuned': ModelFigures(51830, 3379024, 2000000, 210000, 0.25, 0.985),
        'from_scratch': ModelFigures(51830, 3379024, 2000000, 210000, 0.26, 0.9745),
    },
    steps=(
        StepFigures(0.8, 0.0, 1, 0.95, 0.9889, 'TH0.8'),
        StepFigures(0.55, 0.0625, 2, 0.5, 0.98, 'TH0.55_Repruned1'),
    ),
    max_difference_relative=2.5e-7,
    untrained=UntrainedFigures(512, 0.102, 0.979),
)

TABLE = """\
threshold  failure rate  retrains  pruned acc.  accuracy
---------  ------------  --------  -----------  --------
0.8               0.000         1      95.00 %   98.89 %
0.55              0.062         2      50.00 %   98.00 %

                             original  soft-pruned   stripped  fine-tuned    scratch     stripping
--------------------------  ---------  -----------  ---------  ----------  ---------  ------------
parameters                    103,660      103,660     51,830      51,830     51,830       -50.0 %
MACs                        6,758,048    6,758,048  3,379,024   3,379,024  3,379,024       -50.0 %
MACs in blocks              5,000,000    5,000,000  2,000,000   2,000,000  2,000,000       -60.0 %
pb bytes                      420,000      420,000    210,000     210,000    210,000       -50.0 %
latency, ms                     0.512        0.500      0.256       0.250      0.260       -50.0 %
test accuracy                 98.61 %      98.00 %    98.00 %     98.50 %    97.45 %  -0.61 points
repaired, without training                 97.90 %                                    -0.71 points

Largest difference between soft-pruned and stripped outputs: 2.5e-07 of their scale
Repaired on 512 training images without labels; before that the accuracy was 10.20 %"""  # noqa: E501


def test_table():
    assert RESULTS.table() == TABLE


def test_a_run_may_lack_the_network_from_scratch():
    models = {kind: RESULTS.models[kind] for kind in KINDS if kind != FROM_SCRATCH}
    found = dataclasses.replace(RESULTS, models=models)

    assert 'scratch' not in found.table()
    assert FROM_SCRATCH not in found.as_json()
    assert from_json(found.as_json()) == found


def test_a_run_may_lack_the_repair():
    found = dataclasses.replace(RESULTS, untrained=None)

    assert 'epaired' not in found.table()
    assert 'untrained' not in found.as_json()
    assert from_json(found.as_json()) == found


def test_another_network_that_is_missing_is_named():
    data = {k: v for k, v in RESULTS.as_json().items() if k != 'stripped'}

    with pytest.raises(ValueError, match='stripped'):
        from_json(data)


def test_json_has_the_documented_keys():
    data = RESULTS.as_json()

    assert set(data) == {
        'original',
        'soft_pruned',
        'stripped',
        'fine_tuned',
        'from_scratch',
        'steps',
        'max_difference_relative',
        'untrained',
    }
    assert set(data['original']) == {
        'parameters',
        'macs',
        'prunable_macs',
        'pb_bytes',
        'latency_ms',
        'accuracy',
    }
    assert data['steps'][1]['retrains'] == 2
    assert data['untrained'] == {'images': 512, 'pruned': 0.102, 'repaired': 0.979}


def test_json_and_back_is_the_identity():
    assert from_json(json.loads(json.dumps(RESULTS.as_json()))) == RESULTS
