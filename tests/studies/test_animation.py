from __future__ import annotations

import numpy as np

from tf1pruning.studies import animation

FRAMES = [
    ('first', {'a': np.array([0.5, 1.0, 2.0]), 'b': np.array([0.1, 0.2])}),
    ('second', {'a': np.array([0.0, 0.0, 2.0]), 'b': np.zeros(2)}),
]


def test_every_frame_is_a_picture_of_its_own():
    first, second = animation.draw(FRAMES, 10)

    assert first.startswith(b'\x89PNG')
    assert first != second


def test_all_frames_make_one_gif(tmp_path):
    path = tmp_path / 'frames.gif'

    animation.write_gif(str(path), FRAMES, 10)

    content = path.read_bytes()
    assert content.startswith(b'GIF89a')
    # A graphic control extension per frame.
    assert content.count(b'\x21\xf9\x04') == 2
    assert [p.name for p in tmp_path.iterdir()] == ['frames.gif']
