"""Writes a stripped network in the formats that were asked for.

All files are written to a temporary folder beside their targets, loaded again from
there and run against the network before it was stripped. Then they get their names.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import files, names
from tf1pruning.ckpt import writer
from tf1pruning.errors import OptionError, OutputError
from tf1pruning.export import (
    calibration,
    checkpoint,
    frozen,
    saved_model,
    tflite,
    training,
)
from tf1pruning.export.network import Network
from tf1pruning.graph import batch_norm_folding, constant_folding
from tf1pruning.report import text
from tf1pruning.surgery import verify
from tf1pruning.surgery.verify import Comparison
from tf1pruning.workflow import stripping
from tf1pruning.workflow.loading import Source
from tf1pruning.workflow.phases import Phases, phase

CKPT, PB, SAVED_MODEL, TFLITE = FORMATS = ('ckpt', 'pb', 'saved_model', 'tflite')
# Of the samples of a calibrated file, so many are compared.
_COMPARED_BATCHES = 4
REPORT = 'report.json'
_MODULES: Dict[str, Any] = {
    CKPT: checkpoint,
    PB: frozen,
    SAVED_MODEL: saved_model,
    TFLITE: tflite,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Options:
    """What to export.

    Attributes:
      formats: keys of `FORMATS`.
      lite: how to convert to TensorFlow Lite.
      training: graph of the training, for a checkpoint that it goes on from.
      fold_batch_norm: whether `pb` and `tflite` have it in the layers before it.

    Raises:
      OptionError: on an unknown format, or an option without the format it is for.
    """

    formats: Tuple[str, ...] = (CKPT, PB)
    lite: tflite.Options = dataclasses.field(default_factory=tflite.Options)
    fold_batch_norm: bool = False
    training: Optional[tf.MetaGraphDef] = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            hint = names.did_you_mean(unknown[0], FORMATS) if unknown else ''
            raise OptionError(
                f'Formats {",".join(self.formats)!r}: expected some of '
                f'{names.quoted(FORMATS)}. {hint}'
            )
        if CKPT not in self.formats and self.training is not None:
            raise OptionError(
                "The optimizer's state is kept in a checkpoint; add 'ckpt' to the "
                'formats.'
            )
        if TFLITE not in self.formats and not self.lite.is_exact:
            raise OptionError(
                "Only TensorFlow Lite files are quantized; add 'tflite' to the formats."
            )


@dataclasses.dataclass(frozen=True)
class Export:
    """One exported file, folder or checkpoint.

    Attributes:
      format: which of `FORMATS`.
      path: where it is; for a checkpoint its prefix.
      size: bytes of all its files.
      comparison: largest difference to the network before stripping; None if it was
        not measured, or the export failed.
      problem: why there is no export; '' if there is one.
    """

    format: str
    path: str
    size: int
    comparison: Optional[Comparison]
    problem: str = ''


@dataclasses.dataclass(frozen=True)
class Exports:
    """All that was exported.

    Attributes:
      written: one per format.
      folded: names of the batch norms that are folded.
      kept: the batch norms that could not be.
    """

    written: Tuple[Export, ...]
    folded: Tuple[str, ...]
    kept: Tuple[batch_norm_folding.Kept, ...]


def export(
    source: Source,
    result: stripping.Result,
    folder: str,
    options: Options,
    phases: Optional[Phases] = None,
) -> Exports:
    """Writes the formats that were asked for; nothing unless all of them are right.

    A network that TensorFlow Lite cannot take does not keep the other formats back; an
    older file then goes. The report of an older export goes before its files do, as it
    is not of the new ones.

    Args:
      source: what was stripped; its files are not replaced.
      result: the stripped network; if it was not compared, neither are the exports.
      folder: where the exports go.
      options: which, and how.
      phases: counts the seconds of `freeze`, `write` and `verify`.

    Raises:
      OutputError: if a file cannot be written, would replace the source, there is none
        to write, or the checkpoint of another network would stay beside the new files.
      VerificationError: if an export does not load, or gives other answers.
      GraphError: if the training graph cannot be stripped like the network.
    """
    job = _Job(source, result, folder, options, phases)
    for name in job.formats:
        stripping.check_target(_target(folder, name), [source.path])
    _check_left(folder, options, job)
    with phase(phases, 'write'), files.staging(folder) as staged:
        exports = [job.write(name, staged) for name in job.formats]
        files.remove(os.path.join(folder, REPORT))
        for each in exports:
            if each.problem:
                files.remove(each.path)  # An older one is of another network.
            else:
                _publish(each.format, staged, folder)
    return Exports(tuple(exports), job.folded.nodes, job.folded.kept)


def _check_left(folder: str, options: Options, job: _Job) -> None:
    """Raises OutputError if there is nothing to write, or an old checkpoint stays."""
    if not job.formats:
        raise OutputError(
            'The network has no variables and hence no checkpoint, and no other format '
            'is asked for. Add pb, saved_model or tflite to the formats.'
        )
    left = _target(folder, CKPT) + '.index'
    if CKPT in options.formats and CKPT not in job.formats and os.path.exists(left):
        raise OutputError(
            f'The network has no variables and hence no checkpoint, and {left!r} is '
            'that of another network. Remove it, or choose another folder.'
        )


class _Job:
    """One run of `export`."""

    def __init__(
        self,
        source: Source,
        result: stripping.Result,
        folder: str,
        options: Options,
        phases: Optional[Phases],
    ):
        self._source, self._result = source, result
        self._folder, self._options = folder, options
        self._phases = phases
        with phase(phases, 'freeze'):
            self.folded = _folded(result, options)
        stripped = result.stripped
        self._network = Network(
            stripped.model, stripped.arrays, self.folded.graph_def, source.signature
        )
        # Without variables there is no checkpoint.
        absent = () if stripped.model.variables else (CKPT,)
        self.formats = [f for f in FORMATS if f in options.formats and f not in absent]

    def write(self, name: str, staged: str) -> Export:
        """Writes one format into a temporary folder and checks it there."""
        target = _target(self._folder, name)
        try:
            self._write_files(name, staged)
        except OutputError as error:
            if name != TFLITE:
                raise OutputError(f'{target!r} cannot be written: {error}') from error
            return Export(name, target, 0, None, str(error))
        found = None
        if self._result.answers:
            with phase(self._phases, 'verify'):
                found = self._compared(name, staged)
            if name != TFLITE or self._options.lite.is_exact:
                verify.check(found, _limit(self._result))
        return Export(name, target, _size(os.path.join(staged, _file(name))), found)

    def _write_files(self, name: str, staged: str) -> None:
        target = _target(self._folder, name)
        if name == TFLITE:
            tflite.write(staged, self._network, self._options.lite)
        elif name == SAVED_MODEL:
            saved_model.write(staged, self._network)
        elif name == PB:
            frozen.write(staged, self._network)
        elif self._options.training is None:
            checkpoint.write(staged, self._network, target)
        else:
            stripped = self._result.stripped
            variables = self._source.variables
            going_on = training.stripped_training(
                self._options.training, variables, stripped
            )
            training.write(staged, going_on, target)

    def _compared(self, name: str, staged: str) -> Comparison:
        """The difference between what was written and the network before stripping."""
        reads = _MODULES[name].answers
        expected = self._result.answers
        if name == TFLITE:
            expected = self._fitted(staged)
        elif name == CKPT and self._options.training is not None:
            reads = training.answers
        return verify.largest(
            [verify.measure(a, reads(staged, a.outputs, a.feeds)) for a in expected]
        )

    def _fitted(self, staged: str) -> Tuple[verify.Answers, ...]:
        """Answers to inputs that the TensorFlow Lite file takes.

        Where ranges were measured on samples, the answers are to the first of them:
        random input lies outside the ranges.
        """
        reference, model = self._result.reference, self._result.model
        feeds = [answers.feeds for answers in self._result.answers]
        samples = self._options.lite.samples
        if samples is not None:
            batches = calibration.batches(samples, model)[:_COMPARED_BATCHES]
            feeds = [dict(zip(model.required_inputs, batch)) for batch in batches]
        return tuple(
            verify.answers_to(reference, model.outputs, tflite.fitted(staged, each))
            for each in feeds
        )


def _folded(result: stripping.Result, options: Options) -> batch_norm_folding.Folded:
    """The frozen graph that is exported."""
    if not {PB, TFLITE}.intersection(options.formats):
        return batch_norm_folding.Folded(tf.GraphDef(), (), ())
    outputs = result.stripped.model.outputs
    graph_def = constant_folding.fold_constants(result.frozen, outputs)
    if options.fold_batch_norm:
        return batch_norm_folding.fold_batch_norms(graph_def, outputs)
    return batch_norm_folding.Folded(graph_def, (), ())


def check_new(
    folder: str, formats: Sequence[str], overwrite: bool, others: Sequence[str] = ()
) -> None:
    """Protects what an export would replace, and the file `checkpoint`.

    Args:
      folder: where the exports go.
      formats: which of `FORMATS`.
      overwrite: whether they may replace what is there.
      others: more files that will be written.

    Raises:
      OutputError: names all that is there, unless it may be replaced; or if one of the
        others is a part of what is exported.
    """
    found = [_target(folder, name) for name in FORMATS if name in formats]
    for path in others:
        for target in (*found, os.path.join(folder, REPORT)):
            if stripping.replaces(path, target):
                raise OutputError(
                    f'{path!r} is a part of what is exported to {target!r}. Choose '
                    'another path.'
                )
    if CKPT in formats:
        found[0] += '.index'
    files.check_new([*found, os.path.join(folder, REPORT), *others], overwrite)
    if CKPT in formats:
        writer.check_state(_target(folder, CKPT), overwrite)


def _file(name: str) -> str:
    return _MODULES[name].NAME


def _target(folder: str, name: str) -> str:
    return os.path.join(folder, _file(name))


def _limit(result: stripping.Result) -> float:
    """An export may add the usual tolerance to what stripping itself changed."""
    changed = result.comparison.relative if result.comparison else 0.0
    lossy = changed > verify.TOLERANCE
    return changed + verify.TOLERANCE if lossy else verify.TOLERANCE


def _size(path: str) -> int:
    """Bytes of a file, of all files of a folder, or of a checkpoint."""
    folder, name = os.path.split(path)
    if os.path.isfile(path):
        return os.path.getsize(path)
    if os.path.isdir(path):
        return sum(_size(os.path.join(path, name)) for name in os.listdir(path))
    found = [f for f in os.listdir(folder) if f.startswith(f'{name}.')]
    return sum(os.path.getsize(os.path.join(folder, f)) for f in found)


def _publish(name: str, staged: str, folder: str) -> None:
    source, target = os.path.join(staged, _file(name)), _target(folder, name)
    if name == CKPT:
        writer.publish(staged, target)
    elif name == SAVED_MODEL:
        files.publish_folder(source, target)
    else:
        files.publish(source, target)


def table(exports: Exports) -> str:
    """What was written, for the terminal."""
    rows: List[List[object]] = []
    for each in exports.written:
        found = each.comparison
        difference = f'{found.absolute:.2e}' if found else '-'
        relative = f'{found.relative:.2e}' if found else '-'
        if not each.problem:
            rows.append(
                [each.format, f'{each.size:,}', difference, relative, each.path]
            )
    header = ['format', 'bytes', 'difference', 'of scale', 'path']
    lines = [text.table(header, rows)] if rows else []
    if exports.folded:
        lines.append(f'Folded {len(exports.folded)} batch norms.')
    lines += [
        f'Batch norm {kept.node!r} stays: {kept.reason}.' for kept in exports.kept
    ]
    return '\n'.join(lines)


def check(exports: Exports) -> None:
    """Refuses to call an incomplete export a success.

    Raises:
      OutputError: if a format is missing that was asked for; says why.
    """
    problems = [each.problem for each in exports.written if each.problem]
    if problems:
        others = len(problems) < len(exports.written)
        end = ' The other formats were written.' if others else ''
        raise OutputError(f'{" ".join(problems)}{end}')


def report(exports: Exports) -> Dict[str, Any]:
    """The exports as plain data, for `report.json`."""
    return {
        'exports': [_fields(each) for each in exports.written],
        'folded_batch_norms': list(exports.folded),
        'kept_batch_norms': [dataclasses.asdict(kept) for kept in exports.kept],
    }


def _fields(each: Export) -> Dict[str, Any]:
    found = each.comparison
    return {
        'format': each.format,
        'path': each.path,
        'bytes': each.size,
        'max_difference': found.absolute if found else None,
        'max_difference_relative': found.relative if found else None,
        'problem': each.problem or None,
    }
