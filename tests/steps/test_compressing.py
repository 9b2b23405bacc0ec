"""Models are compressed in one step; what decides is measured once."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tf1pruning as tp
from tests.tools import models
from tf1pruning.errors import OptionError
from tf1pruning.steps.compress_options import CompressOptions
from tf1pruning.steps.compress_stages import Stage
from tf1pruning.steps.compressing import compress_model

EVEN = tp.Limits(multiple=2)


def test_less_goes_until_a_change_is_kept_by_a_table_that_is_measured_once(tmp_path):
    model = tp.load(models.checkpoint(str(tmp_path)), outputs=['output'])
    images = np.random.RandomState(0).randn(80, 8, 8, 3).astype(np.float32)
    samples = tp.samples(model, {'input': images})
    options = CompressOptions(max_change=0.8, criterion='l1', limits=EVEN)
    told = []

    found = compress_model(model, samples, options, progress=told.append)

    widths = [each for each in told if each.work == 'measuring widths']
    passes = [each.done for each in told if each.work == 'repair, pass']
    assert passes.count(1) > 1
    assert [each.done for each in widths] == list(range(1, widths[0].total + 1))
    assert 0 < found.stages['repaired'].change <= 0.8
    assert found.stages['pruned'].change > 0.8


@pytest.mark.parametrize('field, value', [('holdout', 0.0), ('seed', -1), ('disk', -1)])
def test_options_are_checked_before_samples_are_read(field, value):
    with pytest.raises(OptionError):
        CompressOptions(ratio=0.5, **{field: value})


def test_a_change_without_a_scale_is_null_in_the_report():
    stage = Stage(None, 1, 2, None, float('inf'), None, None)
    assert stage.fields()['change'] is None


def test_where_less_cannot_go_the_limit_that_was_given_is_named(tmp_path):
    model = tp.load(models.checkpoint(str(tmp_path)), outputs=['output'])
    images = np.random.RandomState(0).randn(80, 8, 8, 3).astype(np.float32)
    samples = tp.samples(model, {'input': images})
    table = tmp_path / 'widths.json'
    options = CompressOptions(max_change=1e-4, criterion='l1', limits=EVEN)
    with pytest.raises(tp.PlanError, match='already'):
        compress_model(model, samples, options, table)
    fields = json.loads(table.read_text())
    for group in fields['groups']:
        for entry in group['entries']:
            entry['change'] = 9e-5
    table.write_text(json.dumps(fields))

    with pytest.raises(tp.PlanError, match=r'by 0\.0001\. The plan that'):
        compress_model(model, samples, options, table)
