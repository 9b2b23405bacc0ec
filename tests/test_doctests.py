"""Runs the examples in the docstrings of the library."""

from __future__ import annotations

import doctest
import importlib
import pathlib
from typing import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def modules_with_examples() -> Iterator[str]:
    for path in sorted((ROOT / 'tf1pruning').rglob('*.py')):
        if '>>> ' in path.read_text('utf-8'):
            yield '.'.join(path.relative_to(ROOT).with_suffix('').parts)


@pytest.mark.parametrize('name', modules_with_examples())
def test_examples_in_docstrings_hold(name):
    results = doctest.testmod(importlib.import_module(name), verbose=False)

    assert results.attempted > 0
    assert results.failed == 0
