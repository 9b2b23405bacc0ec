"""Runs every benchmark: `python -m benchmarks [--output_dir bench_output]`.

All but the coverage, the checkpoint of 2 GB and the repair, which take long: these are
`python -m benchmarks.zoo`, `.large` and `.repair_speed`.
"""

from __future__ import annotations

import os

from absl import flags

from benchmarks import freezing, growth, hook, inference, process, surgery, tracing
from tf1pruning import files
from tf1pruning.cli import program
from tf1pruning.report import text

FLAGS = flags.FLAGS
flags.DEFINE_string('output_dir', 'bench_output', 'Folder for the JSON files.')
flags.DEFINE_integer('runs', 9, 'Runs per benchmark; the median counts.', lower_bound=5)


_ALL = (
    (surgery, 'surgery'),
    (tracing, 'tracing'),
    (growth, 'growth'),
    (hook, 'hook'),
    (freezing, 'freezing'),
    (process, 'process'),
    (inference, 'inference'),
)


def main() -> None:
    """Runs and writes."""
    for benchmark, name in _ALL:
        result = benchmark.run(FLAGS.runs)
        files.write_json(os.path.join(FLAGS.output_dir, f'{name}.json'), result)
        print(f'{benchmark.title(result)}\n')
        print(f'{text.table(benchmark.HEADER, benchmark.rows(result))}\n')


if __name__ == '__main__':
    program.run(main)
