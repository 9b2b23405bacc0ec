"""python -m tests.fuzzing 1000 9000: tries mutations of these seeds, as the tests do."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from tests.fuzzing import cases

if __name__ == '__main__':
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(*map(int, sys.argv[1:3])):
            try:
                cases.outcome(seed, os.path.join(folder, 'model.meta'))
            except Exception:  # That is what is looked for.
                wrong += 1
                print(f'seed {seed}')
                traceback.print_exc()
    print(f'{wrong} cases ended in a traceback.')
    sys.exit(bool(wrong))
