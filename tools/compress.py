"""`tf1pruning compress` from a clone that is not installed."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tf1pruning.cli import main

if __name__ == '__main__':
    main.run('compress', sys.argv[1:], sys.argv[0])
