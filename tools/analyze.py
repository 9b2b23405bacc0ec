"""Lists the channel groups of a model: what may be cut, and why the rest may not.

  python tools/analyze.py --model model.ckpt-1000 --output_nodes output
  python tools/analyze.py --model exported/1 --json groups.json
  python tools/analyze.py --model frozen.pb --nodes

The model is the prefix of a checkpoint with its .meta, the folder of a SavedModel, or a
frozen graph.
"""

from __future__ import annotations

import os
import sys

from absl import flags

# A clone works without being installed.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning import files
from tf1pruning.channels import select
from tf1pruning.report import analysis
from tf1pruning.workflow import command, inputs, stripping

FLAGS = flags.FLAGS

command.define_model_flags('model')
flags.DEFINE_list('scope_names', [''], 'Scopes to list; the whole model by default.')
flags.DEFINE_string('json', None, 'File to write the same to, as JSON.')
flags.DEFINE_bool('nodes', False, 'List what each node costs, too.')


def main() -> None:
    """Analyzes as the flags say."""
    if FLAGS.json:
        stripping.check_target(FLAGS.json, [FLAGS.model, FLAGS.meta_graph])
    source = inputs.load(FLAGS.model, command.model_options())
    chosen = select.listed(source.groups, FLAGS.scope_names)
    found = analysis.analyze(source.trace, chosen, source.keyed_arrays())
    if FLAGS.json:
        files.write_json(FLAGS.json, found.as_json())
    if FLAGS.nodes:
        print(found.node_table() + '\n')
    print(found.table())


if __name__ == '__main__':
    command.run(main)
