"""Runs of `train_pruning_class.py` in processes of their own, a few steps long."""

from __future__ import annotations

import json
import time

from tests.programs import SECONDS, Program

SHORT = (
    '--model=tiny',
    '--train_steps=4',
    '--retrain_steps=2',
    '--finetune_steps=3',
    '--from_scratch',
    '--thresholds=0.7,0.5',
    '--batch_size=8',
    '--latency_runs=3',
    # Most of the images are never looked at.
    '--test_share=0.05',
    '--repair_images=48',
)


def start(*flags):
    environment = {'PYTHONWARNINGS': 'ignore'}
    return Program('train_pruning_class.py', flags, environment)


def wait_for(text, path, process, seconds=SECONDS):
    """Waits until the file holds the text."""
    deadline = time.monotonic() + seconds
    while not (path.exists() and text in path.read_text()):
        assert process.poll() is None, process.texts()
        assert time.monotonic() < deadline, f'{text!r} never came into {path}'
        time.sleep(0.02)


class Runs:
    """A run that was killed in its first retraining, and what came after."""

    def __init__(self, folder):
        self.folder = folder
        flags = (f'--output_dir={folder}', *SHORT)
        with start(*flags) as killed:
            wait_for('"TH0.7"', folder / 'state.json', killed)
        self.left = json.loads((folder / 'state.json').read_text())
        self.resumed = start(*flags).wait()
        self.results = json.loads((folder / 'results.json').read_text())
