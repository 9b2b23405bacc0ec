from __future__ import annotations

import dataclasses
import faulthandler
import os
import signal

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests.export import made
from tf1pruning.errors import OutputError, VerificationError
from tf1pruning.export import tflite
from tf1pruning.export.tflite import LiteFormat
from tf1pruning.sessions import RunLimits

SAMPLES = {'input': np.random.RandomState(0).standard_normal([8, 8, 8, 3]).astype('f4')}
CRASH = """See console for info.
2026-01-01 10:00:00.1: F tensorflow/lite/toco/x.cc:9] Check failed: a != b
Fatal Python error: Aborted

Current thread 0x00007f4dae1a5b80 (most recent call first):
  File "toco_from_protos.py", line 52 in execute
Aborted
"""


def difference(folder, network):
    """Largest difference to the network, over the scale of its answers."""
    (feeds,) = LiteFormat().own_feeds(folder, [{'input': made.IMAGE}])
    expected = made.answers(network, feeds['input'])
    found = LiteFormat().answers(folder, ['output'], feeds)[0]
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


def dense(units=64):
    """Enough weights that TensorFlow Lite's quantizer does not skip them."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.layers.dense(tf.reshape(x, [-1, 192]), units, tf.nn.relu)
        tf.identity(tf.layers.dense(x, 5), name='output')
    return made.network(graph)


def test_a_float_file_gives_the_answers_of_the_network(tmp_path):
    network = made.inverted_residual()
    LiteFormat().write(str(tmp_path), network, '')

    assert os.listdir(str(tmp_path)) == [LiteFormat.file]
    assert difference(str(tmp_path), network) < 1e-5


def test_quantized_weights_take_a_quarter_of_the_bytes(tmp_path):
    network = dense()
    LiteFormat().write(str(tmp_path), network, '')
    float_size = (tmp_path / LiteFormat.file).stat().st_size
    LiteFormat(quantize=True).write(str(tmp_path), network, '')

    assert (tmp_path / LiteFormat.file).stat().st_size < 0.4 * float_size
    assert 1e-5 < difference(str(tmp_path), network) < 0.1


def test_samples_make_all_arithmetic_8_bit(tmp_path):
    network = dense()
    LiteFormat(samples=SAMPLES).write(str(tmp_path), network, '')

    interpreter = tf.lite.Interpreter(model_path=str(tmp_path / LiteFormat.file))
    interpreter.allocate_tensors()
    types = {d['dtype'] for d in interpreter.get_tensor_details()}
    assert np.int8 in types
    assert interpreter.get_input_details()[0]['dtype'] == np.float32
    assert difference(str(tmp_path), network) < 0.1


def test_an_op_that_it_lacks_is_named(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [1, 2, 2], 'input')
        tf.linalg.det(x, name='output')

    with pytest.raises(OutputError, match='no operators for MatrixDeterminant'):
        LiteFormat().write(str(tmp_path), made.network(graph), '')
    assert os.listdir(str(tmp_path)) == []


def test_unknown_sizes_are_refused_in_its_words(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, None, 3], 'input')
        tf.nn.relu(x, name='output')

    with pytest.raises(OutputError, match='only supported in the 1st dimension'):
        LiteFormat().write(str(tmp_path), made.network(graph), '')


def test_a_converter_that_takes_too_long_is_ended(tmp_path):
    network = dataclasses.replace(dense(), limits=RunLimits(seconds=0.01))

    with pytest.raises(OutputError, match=r'exported: it takes more than 0\.01 sec'):
        LiteFormat().write(str(tmp_path), network, '')
    assert os.listdir(str(tmp_path)) == []


def test_a_crash_of_the_interpreter_does_not_end_the_program(tmp_path, monkeypatch):
    def crash(path):
        faulthandler.disable()
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(tflite, '_interpreter', crash)

    with pytest.raises(OutputError, match='exported: it was ended by SIGSEGV'):
        LiteFormat().write(str(tmp_path), dense(), '')
    assert os.listdir(str(tmp_path)) == []


def test_the_reason_of_a_crash_is_its_failed_check():
    assert tflite.reason(CRASH) == 'Check failed: a != b'


def test_an_empty_message_is_still_a_sentence():
    assert tflite.reason('') == 'the converter gives no reason.'


def test_a_damaged_file_does_not_pass(tmp_path):
    (tmp_path / LiteFormat.file).write_bytes(b'nothing')

    with pytest.raises(VerificationError, match='does not load and run'):
        LiteFormat().answers(str(tmp_path), ['output'], {'input': made.IMAGE})


def test_a_file_that_its_own_interpreter_refuses_is_not_left(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [1, 2, 2, 2, 2], 'input')
        tf.nn.relu(tf.transpose(x, [0, 1, 2, 4, 3]), name='output')

    with pytest.raises(OutputError, match=r'interpreter refuses.*supports 1D-4D'):
        LiteFormat().write(str(tmp_path), made.network(graph), '')
    assert os.listdir(str(tmp_path)) == []
