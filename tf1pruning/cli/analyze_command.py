"""Lists the channel groups of a model: what may be cut, and why the rest may not.

tf1pruning analyze --model model.ckpt-1000 --output_nodes output
tf1pruning analyze --model exported/1 --json groups.json
tf1pruning analyze --model frozen.pb --nodes
"""

from __future__ import annotations

from absl import flags

import tf1pruning as tp
from tf1pruning import files
from tf1pruning.cli import model_flags
from tf1pruning.steps import protection, selection

FLAGS = flags.FLAGS

model_flags.define()
flags.DEFINE_list('scope_names', [''], 'Scopes to list. Default: the whole model.')
flags.DEFINE_string('json', None, 'File to write the same figures to, as JSON.')
flags.DEFINE_bool(
    'sparsity', True, 'List the sparsity of each group, for which all weights are read.'
)
flags.DEFINE_bool('nodes', False, 'Also list what each node costs.')


def main() -> None:
    """Analyzes as the flags say."""
    if FLAGS.json:
        protection.check_target(FLAGS.json, [FLAGS.model, FLAGS.meta_graph])
    model = model_flags.model()
    found = tp.analyze(model, FLAGS.scope_names, FLAGS.sparsity)
    if FLAGS.json:
        files.write_json(FLAGS.json, found.as_json())
    model_flags.say_read(model)
    if FLAGS.nodes:
        print(found.node_table() + '\n')
    print(found)
    selection.check_prunable(model)
