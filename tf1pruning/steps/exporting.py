"""Writes a stripped network in several formats.

All files are written to a temporary folder beside their targets, loaded from there and
run against the network before stripping. Then they are renamed.
"""

from __future__ import annotations

import dataclasses
import os
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import files, names, typed
from tf1pruning import phases as phases_lib
from tf1pruning.ckpt import writer
from tf1pruning.errors import OptionError, OutputError, VerificationError
from tf1pruning.export import calibration
from tf1pruning.export import formats as formats_lib
from tf1pruning.export.checkpoint import CheckpointFormat
from tf1pruning.export.format import Format, Network
from tf1pruning.export.formats import FORMATS
from tf1pruning.export.tflite import LiteFormat
from tf1pruning.export.training import TrainingFormat
from tf1pruning.graph.frozen import batch_norm_folding
from tf1pruning.graph.frozen.batch_norm_folding import Folded
from tf1pruning.report import interface, text
from tf1pruning.steps import protection, stripping
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.surgery import verify
from tf1pruning.surgery.verify import Comparison

CKPT, LITE = CheckpointFormat.name, LiteFormat.name
DEFAULT_FORMATS = (CKPT, 'pb')
REPORT = 'report.json'


@typed.checked
@dataclasses.dataclass(frozen=True, eq=False)
class ExportOptions:
    """How to export.

    Attributes:
      fold_batch_norm: whether `pb` and `tflite` have it in the layers before it, where
        that is exact within the limit.
      quantize: whether the weights of `tflite` are 8-bit integers.
      samples: input node -> `[samples, ...]`: all arithmetic of `tflite` is 8-bit, with
        ranges measured on them; None: it stays float.
      keep_optimizer: whether `ckpt` is for further training: slots are cut with their
        variables, the step is kept, and the graph is the training graph.
    """

    fold_batch_norm: bool = True
    quantize: bool = False
    samples: Optional[Mapping[str, np.ndarray]] = None
    keep_optimizer: bool = False

    def check(self, formats: Sequence[str]) -> None:
        """Raises OptionError for an unknown format, or an option without its format."""
        formats_lib.check_known(formats)
        if self.keep_optimizer and CKPT not in formats:
            raise OptionError(
                "The optimizer's state is kept in a checkpoint; add 'ckpt' to the "
                'formats.',
                options=('formats',),
            )
        if LITE not in formats and (self.quantize or self.samples is not None):
            raise OptionError(
                'Only TensorFlow Lite files are quantized; add '
                "'tflite' to the formats.",
                options=('formats',),
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
      seconds: what loading, stripping and exporting took, by phase.
    """

    written: Tuple[Export, ...]
    folded: Tuple[str, ...]
    kept: Tuple[batch_norm_folding.Kept, ...]
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        """Refuses to call an incomplete export a success.

        Raises:
          OutputError: if a requested format is missing; says why.
        """
        problems = [each.problem for each in self.written if each.problem]
        if problems:
            others = names.quoted([e.path for e in self.written if not e.problem])
            end = f' The other formats were written: {others}.' if others else ''
            raise OutputError(f'{" ".join(problems)}{end}')

    def __str__(self) -> str:
        written = [each for each in self.written if not each.problem]
        lines = [_table(written)] if written else []
        if self.folded:
            lines.append(f'Folded {len(self.folded)} batch norms.')
        lines += [
            f'Batch norm {kept.node!r} stays: {kept.reason}.' for kept in self.kept
        ]
        lines.append(', '.join(f'{k} {v:.2f} s' for k, v in self.seconds.items()))
        return '\n'.join(lines)


def export(
    stripped: StrippedModel,
    folder: str,
    formats: Sequence[str] = DEFAULT_FORMATS,
    options: ExportOptions = ExportOptions(),
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Exports:
    """Writes all formats, or none if one of them is not right.

    If TensorFlow Lite cannot take the network, the other formats are written all the
    same, and an older `.tflite` file is removed. The report of an older export is
    removed before its files are replaced; the new report comes last.

    Args:
      stripped: the stripped network; if it was not compared, neither are the exports.
      folder: where the exports go; files of the original are never replaced.
      formats: some of `FORMATS`.
      options: how.
      more: for the report, besides what it always says.

    Raises:
      OptionError: on an unknown format, or an option that fits none of them.
      OutputError: if a file cannot be written or would replace the original, if there
        is nothing to write, or the checkpoint of another network would stay beside the
        new files.
      VerificationError: if an export does not load, or gives other answers.
      GraphError: if the training graph cannot be stripped like the network.
    """
    options.check(formats)
    phases = phases_lib.Phases()
    job = _Job(stripped, folder, formats, options, phases)
    with phases.phase('write'):
        written = job.run()
    original = stripped.original
    signatures = original.signatures
    seconds = phases_lib.total(original.seconds, stripped.seconds, phases.seconds)
    found = Exports(written, job.folded.nodes, job.folded.kept, seconds)
    fields = {
        **stripping.report(stripped),
        'exports': [_fields(each) for each in written],
        'folded_batch_norms': list(found.folded),
        'kept_batch_norms': [dataclasses.asdict(kept) for kept in found.kept],
        'unused_variables': original.unused_keys,
        'signature_inputs_gone': sorted({g for s in signatures for g in s.gone}),
        'signatures_lack': [line for each in signatures for line in each.losses()],
        'inputs_and_outputs': [
            dataclasses.asdict(end)
            for end in interface.ends(stripped.stripped.graph, signatures)
        ],
        'seconds': seconds,
        **more,
    }
    files.write_json(os.path.join(folder, REPORT), fields)
    return found


class _Job:
    """One run of `export`."""

    def __init__(
        self,
        stripped: StrippedModel,
        folder: str,
        formats: Sequence[str],
        options: ExportOptions,
        phases: phases_lib.Phases,
    ):
        self._stripped, self._folder, self._phases = stripped, folder, phases
        self._formats = _made(stripped, formats, options)
        for each in self._formats:
            original = stripped.original
            sources = [original.path, original.meta_path]
            protection.check_target(self._target(each), sources)
        self._check_left(formats)
        with phases.phase('freeze'):
            self._frozen = self._frozen_graph()
            self.folded = Folded(self._frozen, (), ())
            # Whether folding is exact enough is only known where answers are compared.
            if options.fold_batch_norm and self._frozen.node and stripped.answers:
                self.folded = batch_norm_folding.fold_batch_norms(
                    self._frozen, stripped.stripped.graph.outputs
                )

    def _frozen_graph(self) -> tf.GraphDef:
        if not any(each.is_frozen for each in self._formats):
            return tf.GraphDef()
        return self._stripped.exported

    def _check_left(self, wanted: Sequence[str]) -> None:
        """Raises OutputError if nothing can be written, or an old file would stay."""
        if not self._formats:
            raise OutputError(
                'The network has no variables and hence no checkpoint, and no other '
                'format is given. Add pb, saved_model or tflite to the formats.'
            )
        checkpoint = CheckpointFormat()
        left = checkpoint.present(self._target(checkpoint))
        made = [each.name for each in self._formats]
        if CKPT in wanted and CKPT not in made and os.path.exists(left):
            raise OutputError(
                f'The network has no variables and hence no checkpoint, and {left!r} '
                'is that of another network. Remove it, or choose another folder.'
            )

    def run(self) -> Tuple[Export, ...]:
        """Writes and checks all formats; without folded batch norms if these differ."""
        try:
            return self._run()
        except VerificationError:
            if not self.folded.nodes:
                raise
            reason = 'folded, the answers would differ by more than the limit'
            kept = [batch_norm_folding.Kept(n, reason) for n in self.folded.nodes]
            self.folded = Folded(self._frozen, (), (*self.folded.kept, *kept))
            return self._run()

    def _run(self) -> Tuple[Export, ...]:
        with files.staging(self._folder) as staged:
            written = tuple(self._write(each, staged) for each in self._formats)
            files.remove(os.path.join(self._folder, REPORT))
            for form, each in zip(self._formats, written):
                if each.problem:
                    files.remove(each.path)  # An older one is of another network.
                else:
                    form.publish(staged, each.path)
        return written

    def _write(self, form: Format, staged: str) -> Export:
        """Writes one format into a temporary folder and checks it there."""
        stripped, target = self._stripped, self._target(form)
        network = Network(
            stripped.stripped.graph,
            stripped.stripped.arrays,
            self.folded.graph_def,
            stripped.original.signatures,
            stripped.limits,
        )
        try:
            form.write(staged, network, target)
        except OutputError as error:
            if not form.may_fail:
                raise OutputError(f'{target!r} cannot be written: {error}') from error
            return Export(form.name, target, 0, None, str(error))
        found = None
        if stripped.answers:
            try:
                with self._phases.phase('verify'):
                    found = self._compared(form, staged)
                if form.is_exact:
                    verify.check(found, self._limit(), f'The {form.name} file')
            except VerificationError as error:
                # Folding may be the reason; without it the format is written again.
                if not form.may_fail or self.folded.nodes:
                    raise
                return Export(form.name, target, 0, None, str(error))
        return Export(form.name, target, _size(os.path.join(staged, form.file)), found)

    def _compared(self, form: Format, staged: str) -> Comparison:
        """The difference between what was written and the network before stripping."""
        known, limits = self._stripped.answers, self._stripped.limits
        compared = self._stripped.comparison
        if compared and form.holds(staged, self._stripped.ran):
            return compared
        own = form.own_feeds(staged, [answers.feeds for answers in known])
        if own is not None:
            reference, outputs = self._stripped.reference, known[0].outputs
            known = tuple(
                verify.answers_to(reference, outputs, each, limits) for each in own
            )
        return verify.largest(
            [
                verify.measure(a, form.answers(staged, a.outputs, a.feeds, limits))
                for a in known
            ]
        )

    def _limit(self) -> float:
        """An export may add the usual tolerance to what stripping itself changed."""
        comparison = self._stripped.comparison
        changed = comparison.relative if comparison else 0.0
        lossy = changed > verify.TOLERANCE
        return changed + verify.TOLERANCE if lossy else verify.TOLERANCE

    def _target(self, form: Format) -> str:
        return os.path.join(self._folder, form.file)


def _made(
    stripped: StrippedModel, wanted: Sequence[str], options: ExportOptions
) -> List[Format]:
    """The formats, in their order; without variables there is no checkpoint."""
    samples = options.samples
    if samples is not None:
        samples = calibration.checked(samples, stripped.original.graph)
    found: List[Format] = []
    original, network = stripped.original, stripped.stripped
    for name, make in FORMATS.items():
        if name not in wanted or (name == CKPT and not network.graph.variables):
            continue
        if name == LITE:
            found.append(LiteFormat(options.quantize, samples))
        elif name == CKPT and options.keep_optimizer:
            graph = original.training_graph()
            found.append(
                TrainingFormat(graph, original.variables, network, original.signatures)
            )
        else:
            found.append(make())
    return found


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
    made = [make() for name, make in FORMATS.items() if name in formats]
    targets = {each: os.path.join(folder, each.file) for each in made}
    report = os.path.join(folder, REPORT)
    for path in others:
        for target in (*targets.values(), report):
            if protection.replaces(path, target):
                raise OutputError(
                    f'{path!r} is a part of the export to {target!r}. Choose another '
                    'path.'
                )
    present = [each.present(target) for each, target in targets.items()]
    files.check_new([*present, report, *others], overwrite)
    for each, target in targets.items():
        if each.name == CKPT:
            writer.check_state(target, overwrite)


def _size(path: str) -> int:
    """Bytes of a file, of all files of a folder, or of a checkpoint."""
    folder, name = os.path.split(path)
    if os.path.isfile(path):
        return os.path.getsize(path)
    if os.path.isdir(path):
        return sum(_size(os.path.join(path, name)) for name in os.listdir(path))
    found = [f for f in os.listdir(folder) if f.startswith(f'{name}.')]
    return sum(os.path.getsize(os.path.join(folder, f)) for f in found)


def _table(written: Sequence[Export]) -> str:
    rows: List[List[object]] = []
    for each in written:
        found = each.comparison
        difference = f'{found.absolute:.2e}' if found else '-'
        relative = f'{found.relative:.2e}' if found else '-'
        rows.append([each.format, f'{each.size:,}', difference, relative, each.path])
    return text.table(['format', 'bytes', 'difference', 'of scale', 'path'], rows)


def _fields(each: Export) -> Dict[str, Any]:
    """An export as plain data, for `report.json`."""
    found = each.comparison
    return {
        'format': each.format,
        'path': each.path,
        'bytes': each.size,
        'max_difference': found.absolute if found else None,
        'max_difference_relative': found.relative if found else None,
        'problem': each.problem or None,
    }
