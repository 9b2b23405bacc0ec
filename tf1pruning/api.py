"""The functions of the public API. `Pruning` and the commands take the same steps."""

from __future__ import annotations

import os
from typing import Any, Collection, Mapping, Optional, Sequence, Tuple

import numpy as np

from tf1pruning import files, typed
from tf1pruning import plan as plan_lib
from tf1pruning.channels import select
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Combination
from tf1pruning.clock import Listener
from tf1pruning.criteria import registry
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan
from tf1pruning.recovery import comparing
from tf1pruning.recovery.distillation import DistillOptions
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.report import analysis
from tf1pruning.report.analysis import Analysis
from tf1pruning.sampling.options import SampleOptions
from tf1pruning.sampling.parts import HOLDOUT, Samples
from tf1pruning.scoring.batches import Batches
from tf1pruning.scoring.result import Scores
from tf1pruning.sessions import RunLimits
from tf1pruning.steps import (
    compressing,
    data_scores,
    distilling,
    exporting,
    planning,
    repairing,
    sampling,
    soft_pruning,
    stripping,
)
from tf1pruning.steps.compress_options import CompressOptions
from tf1pruning.steps.compressing import Compressed
from tf1pruning.steps.distilling import Distilled
from tf1pruning.steps.exporting import DEFAULT_FORMATS, ExportOptions, Exports
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.steps.repairing import Repaired
from tf1pruning.steps.selection import select_groups
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.surgery.choice import RemovalOptions


@typed.checked
def analyze(
    model: Model, scope_names: Sequence[str] = ('',), sparsity: bool = True
) -> Analysis:
    """Lists the channel groups of a model, what they cost, and why some may not go.

    Args:
      model: the model.
      scope_names: scopes to list; `['']`: the whole model.
      sparsity: whether to read the weights, for the sparsity of each group.

    Returns:
      Figures; `print` shows them as a table.

    Raises:
      GraphError: if a scope holds no group.
      OptionError: if `scope_names` is one string.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    chosen = select.listed(model.groups, scope_names)
    arrays = model.keyed_arrays() if sparsity else None
    return analysis.analyze(model.trace, chosen, model.keyed_shapes(), arrays)


@typed.checked
def score(
    model: Model,
    data: Batches,
    criteria: Sequence[str],
    loss: str = '',
    groups: str = select.AUTO,
    scope_names: Sequence[str] = ('',),
) -> Scores:
    """Scores channels by what they do on data and to the loss.

    Args:
      model: any; a checkpoint with the graph of its training if a criterion needs the
        loss.
      data: what the loss reads; for criteria that need none the inputs of the model.
      criteria: names of criteria that look at data, see docs/criteria.md.
      loss: name of the loss tensor; '': the only one of the graph, if one is needed.
      groups: 'inner', 'all' or 'auto', see `choose`.
      scope_names: scopes to score; `['']`: the whole model.

    Returns:
      Scores, for `choose` and, as `means`, for `soft_prune`.

    Raises:
      OptionError: on a criterion that is unknown, or looks at weights alone, or needs
        the loss of a model that is no checkpoint.
      DataError: if the data does not fit the inputs, or values are not finite.
      GraphError: if there is no such loss, the graph is not safe to run, or no layer
        that runs reads a group.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
    """
    chosen = select_groups(model, scope_names, groups).groups.values()
    subject = data_scores.subject_for(model, criteria, loss)
    return data_scores.score_groups(subject, chosen, data, criteria)


@typed.checked
def samples(
    model: Model,
    data: sampling.Data,
    options: Optional[SampleOptions] = None,
    allow_unsafe: bool = False,
    **fields: Any,
) -> Samples:
    """Reads samples without labels for the inputs of a model.

    Args:
      model: the model.
      data: an `.npz` file, which may be larger than memory, with one array
        `[samples, ...]` per input; such arrays by input; a folder of images, also in
        sub-folders; TFRecords: a file, a folder or a pattern, with encoded images or as
        many numbers as the input takes; 'graph': the input pipeline of the training
        graph; an `input_fn` as for an Estimator, whose labels are left out; or batches.
        Of these three the first samples are kept in memory.
      options: how they are read; None: what `fields` says.
      allow_unsafe: whether an input pipeline may run ops that are not known to be pure.
      **fields: of `SampleOptions`, such as `image_range=(-1, 1)`, in the place of
        `options`.

    Returns:
      The samples; `notes` say what was left out or changed. Each pass over `batches`
      reads them again.

    Raises:
      DataError: if the data is missing or damaged, or does not fit the inputs; where it
        is read also if it is NaN or infinite.
      OptionError: on options that are missing, out of range, or for other data.
      GraphError: if an input pipeline does more than to read files.
    """
    given = typed.given_or_made(
        options, SampleOptions, 'Samples have no option', fields
    )
    return sampling.of_model(model, data, given, RunLimits(allow_unsafe))


@typed.checked
def check_samples(
    model: Model, samples: Samples, allow_unsafe: bool = False
) -> Tuple[str, ...]:
    """Looks whether samples seem to be prepared like the data of the training.

    What reaches the first batch norms from the first 64 samples is compared with their
    moving statistics. `Samples.picture` shows the samples as they are fed.

    Args:
      model: the model.
      samples: for its inputs.
      allow_unsafe: whether ops are run that are not known to be pure.

    Returns:
      Sentences that say what looks wrong and what to check; none if nothing does, or
      the network has no batch norm.

    Raises:
      DataError: if the model does not run on the samples.
      GraphError: if it is not safe to run.
      CheckpointError: if a weight is damaged, NaN or infinite.
    """
    found = sampling.warnings(model, samples, RunLimits(allow_unsafe))
    return tuple(map(str, found))


@typed.checked
def choose(
    model: Model,
    choice: Optional[Choice] = None,
    criterion: str = registry.DEFAULT,
    scores: Optional[Scores] = None,
    combination: Combination = Combination(),
    seed: int = 0,
    groups: str = select.AUTO,
    scope_names: Sequence[str] = ('',),
    protect: Collection[str] = (),
    mode: str = plan_lib.BLOCK,
    allow_unsafe: bool = False,
    verify_timeout: Optional[float] = None,
    **amount: Any,
) -> Plan:
    """Chooses the channels that go.

    Args:
      model: the model.
      choice: how many go; None: what `amount` says.
      criterion: what ranks channels, see docs/criteria.md.
      scores: on data, for a criterion that looks at data.
      combination: of the scores of a group's layers.
      seed: of a criterion that draws.
      groups: 'inner': the inner channels of inverted-residual and squeeze-and-excite
        blocks. 'all': every group. 'auto': 'inner', or 'all' without such blocks.
      scope_names: scopes to prune; `['']`: the whole model.
      protect: regular expressions; groups in whose name one is found stay.
      mode: 'block' zeroes every place of a channel, 'filter' its kernels only.
      allow_unsafe: for a target of latency, as for `strip`.
      verify_timeout: for a target of latency, as for `strip`.
      **amount: fields of `Choice`, such as `ratio=0.5`, in the place of `choice`.

    Returns:
      The plan: which channels of which groups go.

    Raises:
      OptionError: on options out of range or that contradict each other.
      PlanError: if the limits of the choice do not let as many go.
      GraphError: if a scope holds nothing that may be cut, or MACs are not known.
      DataError: if scores are of other weights.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      VerificationError: if the latency is asked for and the model does not run.
    """
    choice = typed.given_or_made(choice, Choice, 'A choice has no', amount)
    ranking = ranking_by(criterion, scores, combination, seed)
    ranking.check(choice)
    selection = select_groups(model, scope_names, groups)
    chosen = select.unprotected(selection.groups, list(protect))
    limits = RunLimits(allow_unsafe, verify_timeout)
    return planning.plan_by_choice(
        model, chosen.values(), choice, ranking, mode, limits
    )


@typed.checked
def soft_prune(
    model: Model,
    plan: Plan,
    path: files.Path,
    means: Optional[Scores] = None,
) -> Model:
    """Writes zeros into the channels that go; shapes stay.

    Args:
      model: not changed.
      plan: which channels go.
      path: prefix of the checkpoint to write; its meta graph comes beside it. Of a
        frozen graph, whose constants get the zeros, the file to write (`.pb`).
      means: scores of the model. Layers that read a channel that goes keep its mean on
        that data, instead of zero.

    Returns:
      The model, as it was written: to retrain, or to strip.

    Raises:
      PlanError: if the plan is of another model.
      OptionError: if means are given and the plan is of mode 'filter'.
      DataError: if the means are of other weights.
      CheckpointError: if a weight is damaged, or with means NaN or infinite.
      OutputError: if the files would replace the model's own, or cannot be written.
    """
    plan_lib.check_fits(plan, model.groups, model.graph)
    if means is not None:
        found = data_scores.means(model, means)
        model = soft_pruning.with_means(model, plan, found)
    return soft_pruning.write_zeros(os.fspath(path), model, plan)


@typed.checked
def repair(
    model: Model,
    plan: Plan,
    samples: Samples,
    options: RepairOptions = RepairOptions(),
    holdout: float = HOLDOUT,
    allow_unsafe: bool = False,
    verify_timeout: Optional[float] = None,
    progress: Optional[Listener] = None,
) -> Repaired:
    """Soft-prunes a model and brings back, from samples alone, what that takes.

    Each layer behind a cut is fitted by least squares to what it made before, from the
    first to the last. It needs neither labels nor training.

    Args:
      model: not changed.
      plan: which channels go, in mode 'block'.
      samples: for the inputs of the model.
      options: how.
      holdout: share of the samples that nothing is fitted to: half of it chooses, the
        other is only reported.
      allow_unsafe: whether ops are run that are not known to be pure.
      verify_timeout: seconds that a run may take; None: ten minutes, or 20 seconds if
        the graph has a loop.
      progress: called after each pass over the samples, such as `print`.

    Returns:
      The repaired model, to be given to `strip` or `soft_prune`; `print` says what each
      layer gained, and how far the answers are from those of the unpruned network.

    Raises:
      OptionError: if the plan is of mode 'filter', or a value is out of range.
      PlanError: if the plan is of another model.
      DataError: if the samples do not fit the model, are too few or not finite, or no
        output has numbers with fractions.
      GraphError: if the model is not safe to run, or runs too long.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      OutputError: if temporary files cannot be written.
    """
    limits = RunLimits(allow_unsafe, verify_timeout)
    return repairing.repair_on(model, plan, samples, options, holdout, limits, progress)


@typed.checked
def strip(
    model: Model,
    plan: Optional[Plan] = None,
    options: RemovalOptions = RemovalOptions(),
    verify: bool = True,
    allow_unsafe: bool = False,
    verify_timeout: Optional[float] = None,
    samples: Optional[Mapping[str, np.ndarray]] = None,
) -> StrippedModel:
    """Removes channels and checks that the answers stay the same.

    Args:
      model: not changed.
      plan: what to remove; None: every channel that is provably redundant.
      options: what may go.
      verify: whether to run the stripped network against the original.
      allow_unsafe: whether ops are run that are not known to be pure, such as those
        that read or write files or call Python.
      verify_timeout: seconds that a run may take; None: ten minutes, or 20 seconds if
        the graph has a loop.
      samples: input node -> `[samples, ...]`, of which the first are run; None: random
        input. Sizes that the graph leaves open are guessed, until it runs.

    Returns:
      The small network; `print` says what went and how exact it is.

    Raises:
      GraphError: if the graph is not safe to run, too large to be frozen, or looks up
        in tables.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      PlanError: if the plan is of another model.
      OptionError: if lossy removal is allowed and no plan says of what.
      DataError: if the samples do not fit the inputs.
      VerificationError: if the outputs differ by more than 1e-5 of their scale, and
        nothing was removed that changes them; or if the model does not run.
    """
    limits = RunLimits(allow_unsafe, verify_timeout)
    return stripping.strip_model(model, plan, options, verify, limits, samples=samples)


@typed.checked
def distill(
    stripped: StrippedModel,
    teacher: Model,
    samples: Samples,
    options: DistillOptions = DistillOptions(),
    holdout: float = HOLDOUT,
    state: Optional[files.Path] = None,
    progress: Optional[Listener] = None,
) -> Distilled:
    """Trains a stripped network to answer like the unpruned one, without labels.

    Kernels, biases and the scales of batch norm are trained, in the network as it is in
    inference: moving statistics stay. Of a frozen graph, its constants are trained.

    Args:
      stripped: the network; not changed.
      teacher: the unpruned one, with the same inputs and outputs.
      samples: for the inputs, in batches of the size to train with.
      options: how.
      holdout: share of the samples that is not trained on: half of it chooses the rate
        and the best weights, the other is only reported.
      state: an `.npz` file to write what was done to, and to go on from after a kill;
        None: none is written.
      progress: called after each look at the samples that choose.

    Returns:
      The trained network as `strip` gives it, to `save`; `print` says what it gained.

    Raises:
      DataError: if the samples do not fit or are too few, the teacher's answers are no
        numbers, do not vary or are not finite, or the state is of another training.
      GraphError: if inputs or outputs differ, a network is not safe to run, lacks a
        gradient, or has nothing to train.
      OptionError: if a value is out of range.
      CheckpointError: if a weight of the teacher is missing, damaged, NaN or infinite.
      OutputError: if the state or temporary files cannot be written.
      VerificationError: if the trained network is not exactly stripped.
    """
    path = None if state is None else os.fspath(state)
    comparing.check_scale(teacher.graph)
    parts = samples.split(holdout)
    fit, choose = parts.fit.batches, parts.choose.batches
    found = distilling.distill(stripped, teacher, fit, choose, options, path, progress)
    return distilling.measured(found, parts.report.batches)


@typed.checked
def save(
    stripped: StrippedModel,
    folder: files.Path,
    formats: Sequence[str] = DEFAULT_FORMATS,
    options: ExportOptions = ExportOptions(),
) -> Exports:
    """Writes a stripped network, each file loaded again and compared.

    Args:
      stripped: the network.
      folder: where its files and `report.json` go; older ones are replaced.
      formats: some of 'ckpt', 'pb', 'saved_model', 'tflite'.
      options: how.

    Returns:
      What was written; `print` shows it as a table.

    Raises:
      OptionError: on an unknown format, or an option that fits none of them.
      OutputError: if a file cannot be written or would replace the model's own; or if
        TensorFlow Lite cannot take the network, once all else is written.
      VerificationError: if a file gives other answers; nothing is written then.
      GraphError: if the training graph cannot be stripped like the network.
    """
    exports = exporting.export(stripped, os.fspath(folder), formats, options)
    exports.check()
    return exports


@typed.checked
def compress(
    model: Model,
    samples: Samples,
    options: Optional[CompressOptions] = None,
    allow_unsafe: bool = False,
    verify_timeout: Optional[float] = None,
    progress: Optional[Listener] = None,
    **fields: Any,
) -> Compressed:
    """Makes a model smaller, with answers as near as samples without labels allow.

    It chooses channels, soft-prunes, repairs, strips, distils if asked to, and measures
    each stage on samples that took no part.

    Args:
      model: not changed.
      samples: for the inputs of the model; labels that they have are only reported.
      options: how small, and how; None: what `fields` says.
      allow_unsafe: whether ops are run that are not known to be pure.
      verify_timeout: seconds that a run may take; None: ten minutes, or 20 seconds if
        the graph has a loop.
      progress: called after each step of each part, such as `print`.
      **fields: of `CompressOptions`, such as `ratio=0.5`, in the place of `options`.

    Returns:
      The stages; `print` shows them as a table, and `save(found.stripped, folder)`
      writes the network.

    Raises:
      PlanError: if the budget is out of reach: says how far it can go.
      VerificationError: if the outputs change more than allowed.
      OptionError: on options out of range or that contradict each other.
      DataError: if the samples do not fit the model, are too few or not finite.
      GraphError: if the model is not safe to run, or holds nothing that may be cut.
      CheckpointError: if a weight is missing, damaged, NaN or infinite.
      OutputError: if temporary files cannot be written.
    """
    given = typed.given_or_made(options, CompressOptions, 'There is no option', fields)
    limits = RunLimits(allow_unsafe, verify_timeout)
    return compressing.compress_model(
        model, samples, given, limits=limits, progress=progress
    )
