from __future__ import annotations

import sys

import pytest

from tf1pruning.errors import Tf1PruningError
from tf1pruning.report import plots


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)

    with pytest.raises(Tf1PruningError, match='requirements-plots'):
        plots.pyplot()


def test_a_figure_becomes_a_png():
    figure, _ = plots.pyplot().subplots()

    assert plots.png(figure).startswith(b'\x89PNG')
