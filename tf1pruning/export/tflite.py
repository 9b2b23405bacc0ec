"""Format `tflite`, float or quantized, by TensorFlow's own converter."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import children, files, npz, sessions
from tf1pruning.children import ChildError
from tf1pruning.errors import OutputError, VerificationError
from tf1pruning.export import calibration
from tf1pruning.export.format import Format, Network
from tf1pruning.graph.frozen import precision
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.sessions import DEFAULT_SECONDS, STRICT, RunLimits

# How many batches of samples a calibrated file is compared on.
_COMPARED_BATCHES = 4
_MEANINGFUL_LINES = 3
# Lines of the converter's Python traceback and of its crash report.
_NOISE = re.compile(
    r'^(\s|See console|Traceback|Fatal Python|Current thread|Aborted|$)'
    r'|opening a github issue|pasting the following'
)
# Time, severity, source file.
_LOG_PREFIX = re.compile(r'^[\d-]+ [\d:.]+: [A-Z] \S+\] ')
_MISSING_OPS = re.compile(r'you will need custom implementations: ([^.]*)\.')


class LiteFormat(Format):
    """`stripped.tflite`; inputs and outputs are float also if it is quantized.

    Args:
      quantize: whether weights become 8-bit integers.
      samples: input node -> `[samples, ...]`: all arithmetic becomes 8-bit, with ranges
        measured on the samples; None: it stays float.
    """

    name = 'tflite'
    file = 'stripped.tflite'
    is_frozen = True
    may_fail = True

    def __init__(
        self,
        quantize: bool = False,
        samples: Optional[Mapping[str, np.ndarray]] = None,
    ):
        self._samples = samples
        self._batches: List[Dict[str, np.ndarray]] = []
        self.is_exact = not quantize and samples is None

    def write(self, folder: str, network: Network, target: str) -> None:
        """See `Format.write`; errors quote TensorFlow Lite's own reason."""
        sessions.check(network.frozen, network.graph.outputs, network.limits)
        if self._samples is not None:
            self._batches = calibration.batches(self._samples, network.graph)
        source = os.path.join(folder, f'{self.file}.pb')
        path = os.path.join(folder, self.file)
        with open(source, 'wb') as file:
            # It knows no other floats than those of 32 bits.
            file.write(precision.single(network.frozen).SerializeToString())
        try:
            children.run(
                lambda: self._convert(source, network.graph, path),
                _seconds(network.limits),
            )
        except ChildError as error:
            files.remove(path)
            raise OutputError(
                f'TensorFlow Lite cannot be exported: {reason(str(error))}'
            ) from error
        finally:
            os.remove(source)

    def _convert(self, source: str, graph: InferenceGraph, path: str) -> None:
        with _converter_on_path():
            data = self._converter(source, graph).convert()
        with open(path, 'wb') as file:
            file.write(data)
        try:
            _interpreter(path)
        except (ValueError, RuntimeError) as error:
            raise OutputError(
                'its interpreter refuses what its converter wrote: '
                f'{reason(str(error))}'
            ) from error

    def _converter(self, source: str, graph: InferenceGraph) -> Any:
        converter = tf.lite.TFLiteConverter.from_frozen_graph(
            source, list(graph.required_inputs), list(graph.outputs)
        )
        if not self.is_exact:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if self._samples is not None:
            feeds = [list(batch.values()) for batch in self._batches]
            converter.representative_dataset = lambda: iter(feeds)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return converter

    def answers(
        self,
        folder: str,
        outputs: Sequence[str],
        feeds: Mapping[str, np.ndarray],
        limits: RunLimits = STRICT,
    ) -> List[np.ndarray]:
        """Runs the file in TensorFlow Lite's interpreter."""
        found = os.path.join(folder, f'{self.file}.npz')

        def run() -> None:
            np.savez(found, *_run(os.path.join(folder, self.file), outputs, feeds))

        try:
            children.run(run, _seconds(limits))
            arrays = npz.read(found)
        except ChildError as error:
            raise VerificationError(
                f'The TensorFlow Lite file does not load and run: {error}'
            ) from error
        finally:
            files.remove(found)
        return [arrays[f'arr_{number}'] for number in range(len(outputs))]

    def own_feeds(
        self, folder: str, usual: Sequence[Mapping[str, np.ndarray]]
    ) -> Optional[List[Dict[str, np.ndarray]]]:
        """Inputs with the batch size that the file fixes.

        Where ranges were measured on samples, these are the first samples: random input
        lies outside the ranges.
        """
        _, inputs = _interpreter(os.path.join(folder, self.file))
        wanted = self._batches[:_COMPARED_BATCHES] or usual
        return [_fitted(inputs, each) for each in wanted]


def _run(
    path: str, outputs: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> List[np.ndarray]:
    """The outputs of a file in TensorFlow Lite's interpreter."""
    interpreter, inputs = _interpreter(path)
    for name, detail in inputs.items():
        interpreter.set_tensor(detail['index'], feeds[name].astype(detail['dtype']))
    interpreter.invoke()
    found = {d['name']: d['index'] for d in interpreter.get_output_details()}
    return [interpreter.get_tensor(found[name]) for name in outputs]


def _seconds(limits: RunLimits) -> float:
    return DEFAULT_SECONDS if limits.seconds is None else limits.seconds


@contextlib.contextmanager
def _converter_on_path() -> Iterator[None]:
    """The converter starts `toco_from_protos`, which lies beside the interpreter."""
    old = os.environ.get('PATH', '')
    folder = os.path.dirname(sys.executable)
    os.environ['PATH'] = os.pathsep.join([folder, old])
    try:
        yield
    finally:
        os.environ['PATH'] = old


def reason(text: str) -> str:
    r"""The reason in a message of the converter, without its traceback.

    >>> reason('See console for info.\nTraceback\n  File "x"\nException: no')
    'Exception: no'
    """
    missing = _MISSING_OPS.search(text)
    if missing:
        return f'it has no operators for {missing.group(1)}.'
    found = [line.strip() for line in text.splitlines() if not _NOISE.search(line)]
    lines = [_LOG_PREFIX.sub('', line) for line in found]
    return ' '.join(lines[:_MEANINGFUL_LINES]) or 'the converter gives no reason.'


def _fitted(
    inputs: Mapping[str, Any], feeds: Mapping[str, np.ndarray]
) -> Dict[str, np.ndarray]:
    result = {}
    for name, array in feeds.items():
        # An input that the answers do not need is not in the file.
        size = inputs[name]['shape'][:1] if name in inputs else array.shape[:1]
        result[name] = array[: int(size[0])] if len(size) else array
    return result


def _interpreter(path: str) -> Tuple[Any, Dict[str, Any]]:
    interpreter = tf.lite.Interpreter(model_path=path)
    interpreter.allocate_tensors()
    return interpreter, {d['name']: d for d in interpreter.get_input_details()}
