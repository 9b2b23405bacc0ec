"""Measures every network at full size: `python -m benchmarks.zoo`.

Writes the table of `docs/coverage.md`, and all figures as JSON. Takes some minutes and
a few gigabytes of memory.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List

from absl import flags

from benchmarks import coverage, subjects
from tf1pruning import files
from tf1pruning.cli import program
from tf1pruning.errors import OptionError, Tf1PruningError
from tf1pruning.report import text

FLAGS = flags.FLAGS
flags.DEFINE_string('output_dir', 'bench_output', 'Folder for coverage.json.')
flags.DEFINE_string('document', 'docs/coverage.md', 'The table, as Markdown.')
flags.DEFINE_list('networks', [], 'Names of the networks to measure; empty: all.')

INTRODUCTION = f"""# Coverage

Written by `make zoo`. Every network of `demo.networks.catalogue` and of
`tf.keras.applications`, at full size, with random weights, batch-norm statistics and
biases (seed 0). Of every group that is not frozen the same share of channels goes,
those with the smallest L1 norm, all groups at once.

- **channels**: outputs of all convolutions and dense layers but the last ones, whose
  channels are the model's outputs; **prunable** is the share that may go.
- **removed**: of these channels, planned and stripped.
- **difference**: of the stripped to the soft-pruned network run by TensorFlow, relative
  to the output's scale; at most {coverage.verify.TOLERANCE:.0e} is exact.
- **effect**: of the soft-pruned to the unpruned network, on the same scale.
- **variation**: of the output between two images. Where it is near zero, so few
  channels carry no signal through the network, and the difference proves little.
- Kernels that read fewer channels are scaled up before stripping, so that the signal
  stays alive as after a retraining.
"""
HEADER = (
    'network',
    'nodes',
    'channels',
    'prunable',
    'scenario',
    'removed',
    'difference',
    'effect',
    'variation',
    'trace s',
    'plan s',
    'strip s',
)


def main() -> None:
    """Runs and writes."""
    results = []
    for subject in _chosen():
        results.append(measure(subject))
        print(text.table(HEADER, _rows(results[-1])), flush=True)
    path = os.path.join(FLAGS.output_dir, 'coverage.json')
    files.write_json(path, {'criterion': 'l1', 'seed': 0, 'networks': results})
    files.write_text(FLAGS.document, document(results))


def _chosen() -> List[subjects.Subject]:
    known = {subject.name: subject for subject in subjects.all_subjects()}
    unknown = sorted(set(FLAGS.networks) - set(known))
    if unknown:
        raise OptionError(
            f'--networks has {", ".join(unknown)}; expected some of {", ".join(known)}.'
        )
    return [known[name] for name in FLAGS.networks or known]


def measure(subject: subjects.Subject) -> Dict[str, Any]:
    """All figures of a network, as plain data; `refused` if it cannot be loaded."""
    try:
        case = coverage.load(subject)
    except Tf1PruningError as error:
        return {'network': subject.name, 'refused': str(error)}
    channels = coverage.count_channels(case)
    outcomes = [
        dataclasses.asdict(coverage.prune(case, scenario, 'l1', case.free))
        for scenario in coverage.SCENARIOS
    ]
    return {
        'network': subject.name,
        'nodes': len(case.model.graph_def.node),
        'trace_seconds': case.trace_seconds,
        'channels': {**dataclasses.asdict(channels), 'share': channels.share},
        'scenarios': outcomes,
    }


def document(results: List[Dict[str, Any]]) -> str:
    """The Markdown page."""
    measured = [result for result in results if 'refused' not in result]
    rows = [row for result in measured for row in _rows(result)]
    kept = [
        f'- {result["network"]}: {count:,} channels: {reason}'
        for result in measured
        for reason, count in result['channels']['frozen'].items()
    ]
    refused = [
        f'- {result["network"]}: {result["refused"]}'
        for result in results
        if 'refused' in result
    ]
    parts = [
        INTRODUCTION,
        text.markdown_table(HEADER, rows),
        '\n## What stays, and why\n',
        '\n'.join(kept) or 'Nothing.',
        '\n## What is refused, and why\n',
        '\n'.join(refused) or 'Nothing.',
    ]
    return '\n'.join(parts) + '\n'


def _rows(result: Dict[str, Any]) -> List[List[str]]:
    """One row per scenario, for `HEADER`."""
    if 'refused' in result:
        return [[result['network'], 'refused'] + [''] * (len(HEADER) - 2)]
    channels = result['channels']
    first = [
        result['network'],
        f'{result["nodes"]:,}',
        f'{channels["total"]:,}',
        f'{100 * channels["share"]:.1f} %',
    ]
    return [
        [
            *(first if index == 0 else [''] * len(first)),
            outcome['scenario'],
            f'{outcome["removed"]:,} of {outcome["planned"]:,}',
            f'{outcome["difference"]:.1e}',
            f'{outcome["effect"]:.1e}',
            f'{outcome["variation"]:.1e}',
            f'{result["trace_seconds"]:.2f}' if index == 0 else '',
            f'{outcome["plan_seconds"]:.2f}',
            f'{outcome["strip_seconds"]:.2f}',
        ]
        for index, outcome in enumerate(result['scenarios'])
    ]


if __name__ == '__main__':
    program.run(main)
