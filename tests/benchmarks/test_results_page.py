from __future__ import annotations

from benchmarks import results_page


def test_a_section_takes_the_place_of_the_older_one(tmp_path):
    path = tmp_path / 'results.md'
    for name, text in (('a', 'one'), ('b', 'two'), ('a', r'\1 three')):
        results_page.write_section(str(path), name, text)

    assert path.read_text() == (
        results_page.INTRODUCTION
        + '\n<!-- begin a -->\n\\1 three\n<!-- end a -->\n'
        + '\n<!-- begin b -->\ntwo\n<!-- end b -->\n'
    )
