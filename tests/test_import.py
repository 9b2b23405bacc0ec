"""What `import tf1pruning` brings along."""

from __future__ import annotations

import json
import subprocess
import sys

# Those who only prune and strip wait for none of them.
UNASKED = ('PIL', 'matplotlib', 'pkg_resources', 'tensorboard')


def modules_after(statement):
    """Names of the modules that a fresh process has loaded."""
    code = f'{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))'
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_import_brings_only_what_is_needed_beside_tensorflow():
    alone = modules_after('import tensorflow.compat.v1')
    ours = modules_after('import tf1pruning')

    more = {name for name in ours - alone if name.split('.')[0] in UNASKED}
    assert 'tf1pruning' in ours
    assert not more
