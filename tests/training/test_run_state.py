from __future__ import annotations

import dataclasses
import json

import pytest

from tf1pruning.errors import DataError, OptionError
from tf1pruning.training import run_state


@dataclasses.dataclass(frozen=True)
class Step:
    """A record of the runs of these tests."""

    threshold: float


def test_a_new_run_has_finished_nothing(tmp_path):
    state = run_state.load_or_new(str(tmp_path / 'state.json'), {'seed': 1}, Step)

    assert state.steps == ()
    assert list(tmp_path.iterdir()) == []


def test_what_was_saved_is_loaded(tmp_path):
    path = str(tmp_path / 'state.json')
    state = run_state.RunState({'seed': 1, 'thresholds': [0.8, 0.7]})
    state = state.with_step({'threshold': 0.8})
    state = state.with_evaluation('TH0.8', 0, 0.5).with_evaluation('TH0.8', 200, 0.75)

    state.save(path)

    settings = {'seed': 1, 'thresholds': [0.8, 0.7]}
    assert run_state.load_or_new(path, settings, Step) == state


def test_adding_a_step_leaves_the_older_state_alone():
    state = run_state.RunState({})

    state.with_step({'threshold': 0.8})

    assert state.steps == ()


def test_accuracies_are_kept_per_training_and_step():
    state = run_state.RunState({}).with_evaluation('TH0.8', 200, 0.75)

    assert state.accuracy('TH0.8', 200) == 0.75
    assert state.is_evaluated('TH0.8', 200)
    assert not state.is_evaluated('TH0.8', 201)
    assert not state.is_evaluated('TH0.7', 200)


def test_an_evaluation_beyond_the_wanted_step_counts():
    state = run_state.RunState({}).with_evaluation('TH0.8', 0, 0.25)
    state = state.with_evaluation('TH0.8', 1002, 0.75)

    assert state.is_evaluated('TH0.8', 1000)
    assert (state.accuracy('TH0.8', 0), state.accuracy('TH0.8', 1000)) == (0.25, 0.75)


def test_other_settings_are_refused_and_named(tmp_path):
    path = str(tmp_path / 'state.json')
    run_state.RunState({'seed': 1, 'steps': 600}).save(path)

    with pytest.raises(OptionError, match=r'\(steps: 600 then, 300 now\)'):
        run_state.load_or_new(path, {'seed': 1, 'steps': 300}, Step)


@pytest.mark.parametrize(
    'text', ['', '[]', '{"version": 1}', json.dumps({'version': 2, 'settings': {}})]
)
def test_a_damaged_file_is_refused_with_a_way_out(text, tmp_path):
    path = tmp_path / 'state.json'
    path.write_text(text)

    with pytest.raises(DataError, match='Delete it to start again'):
        run_state.load_or_new(str(path), {}, Step)
    assert path.read_text() == text


GOOD = {
    'version': 1,
    'settings': {'seed': 1},
    'steps': [{'threshold': 0.8}],
    'evaluations': {'TH0.8': {'0': 0.5, '200': 0.75}},
}
OTHERS = [None, True, -1, 1.5, 'x', [], {}, [[]], {'x': 1}, 10**400]


def places(value, path=()):
    """The path of every value in a JSON value."""
    yield path
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))
        else:
            yield (*path, key)


def changed(path, other):
    """`GOOD` with another value at a place."""
    if not path:
        return other
    whole = json.loads(json.dumps(GOOD))
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = other
    return whole


def test_whatever_else_is_in_the_file_is_one_kind_of_error(tmp_path):
    path = tmp_path / 'state.json'
    refused = 0
    for place in places(GOOD):
        for other in OTHERS:
            path.write_text(json.dumps(changed(place, other)))
            try:
                state = run_state.load_or_new(str(path), GOOD['settings'], Step)
                state.accuracy('TH0.8', 100)
                assert state.is_evaluated('TH0.8', 0)
            except (DataError, OptionError):
                refused += 1

    assert refused > 70


def test_an_accuracy_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"accuracy of 'TH0\.8' from step 3 on"):
        run_state.RunState({}).accuracy('TH0.8', 3)
