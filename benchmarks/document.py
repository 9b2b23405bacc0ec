"""Writes docs/benchmarks.md from the JSON: `python -m benchmarks.document`."""

from __future__ import annotations

import json
import os
from typing import List

from absl import flags

from benchmarks import (
    freezing,
    growth,
    hook,
    inference,
    large,
    process,
    repair_speed,
    surgery,
    tracing,
)
from tf1pruning import files
from tf1pruning.cli import program
from tf1pruning.errors import OptionError
from tf1pruning.report import text

FLAGS = flags.FLAGS

SECTIONS = (
    ('surgery', surgery),
    ('freezing', freezing),
    ('process', process),
    ('inference', inference),
    ('large', large),
    ('tracing', tracing),
    ('growth', growth),
    ('hook', hook),
    ('repair_speed', repair_speed),
)
INTRODUCTION = """# Benchmarks

Written by `python -m benchmarks.document` from the JSON that the commands leave in
`bench_output/`. Medians; the sides that are compared take turns in one run. A figure
above its goal is one that was not reached.
"""


def main() -> None:
    """Writes the page."""
    parts: List[str] = [INTRODUCTION]
    for name, module in SECTIONS:
        path = os.path.join(FLAGS.output_dir, f'{name}.json')
        try:
            with open(path, encoding='utf-8') as file:
                result = json.load(file)
        except (OSError, ValueError) as error:
            raise OptionError(
                f'{path!r} cannot be read: {error}. Run `python -m benchmarks`, '
                '`python -m benchmarks.large` and `python -m benchmarks.repair_speed` '
                'first.'
            ) from error
        parts += [
            f'\n## {module.title(result)}\n',
            f'    {result["command"]}\n',
            text.markdown_table(module.HEADER, module.rows(result)),
        ]
    files.write_text(FLAGS.document, '\n'.join(parts) + '\n')
    print(FLAGS.document)


if __name__ == '__main__':
    flags.DEFINE_string('output_dir', 'bench_output', 'Folder of the JSON files.')
    flags.DEFINE_string('document', 'docs/benchmarks.md', 'The page to write.')
    program.run(main)
