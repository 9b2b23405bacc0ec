from __future__ import annotations

import numpy as np

from tf1pruning.channels.trace_result import CONSUMER, PRODUCER
from tf1pruning.ckpt.arrays import ArraysInMemory
from tf1pruning.plan import Cut
from tf1pruning.surgery.training_state import StrippedState


def state():
    whole = np.arange(12.0).reshape(3, 4)
    checkpoint = ArraysInMemory(
        {
            'w': whole,
            'w/Adam': whole + 100,
            'scope/w/Adam_1': whole + 200,
            'b': np.arange(4.0),
            'b/Adam': np.arange(4.0) + 10,
            'aux/w': whole,
            'aux/w/Adam': whole,
            'beta1_power': np.array(0.5),
            'global_step': np.array(7),
        }
    )
    cuts = [
        Cut('w', 1, 4, PRODUCER, ((0,), (2,))),
        Cut('w', 1, 4, PRODUCER, ((3,),)),
        Cut('w', 0, 3, CONSUMER, ((1,),)),
    ]
    weights = {'w': np.array([[-1.0], [-2.0]]), 'b': np.arange(4.0)}
    return StrippedState(checkpoint, weights, cuts, ['aux/w'])


def test_slots_are_cut_like_their_weights():
    found = state()

    # Column 1 is left, of rows 0 and 2.
    assert found['w/Adam'].tolist() == [[101.0], [109.0]]
    assert found['scope/w/Adam_1'].tolist() == [[201.0], [209.0]]
    assert found['b/Adam'].tolist() == [10.0, 11.0, 12.0, 13.0]
    assert found['w'].tolist() == [[-1.0], [-2.0]]


def test_what_belongs_to_the_training_stays_and_dropped_weights_go():
    found = state()

    assert sorted(found) == [
        'b',
        'b/Adam',
        'beta1_power',
        'global_step',
        'scope/w/Adam_1',
        'w',
        'w/Adam',
    ]
    assert len(found) == 7
    assert found['global_step'] == 7


def test_shapes_are_known_before_an_array_is_read():
    found = state()

    assert found.shapes == {key: found[key].shape for key in found}
