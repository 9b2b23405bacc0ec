"""Holds what the steps of a `Pruning` object have found, and checks their order."""

from __future__ import annotations

import dataclasses
import os
import typing
from typing import Any, Mapping, Optional, Tuple

import numpy as np
from absl import logging

from tf1pruning import plan_json, typed
from tf1pruning.choosing.choice import Choice
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.errors import OptionError, WorkflowError
from tf1pruning.facade import output_files, pickled_filters
from tf1pruning.facade.options import PruningOptions
from tf1pruning.models.reading import LoadOptions, load
from tf1pruning.plan import Plan
from tf1pruning.sampling.parts import Samples
from tf1pruning.steps import planning, protection, repairing, sampling, stripping
from tf1pruning.steps import ranking as ranking_lib
from tf1pruning.steps.ranking import Ranking
from tf1pruning.steps.repairing import Repaired
from tf1pruning.steps.selection import Selection, select_groups
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.surgery import failure

_EXPORTS = ('export_ckpt_path', 'export_pb_path')


@dataclasses.dataclass(eq=False)
class State:
    """Options, paths and intermediate results; see `facade.pruning.Pruning`.

    Attributes:
      options: how to prune.
      given_filters: to prune as long as there is no choice.
      input_ckpt_path: prefix of the checkpoint that is pruned next.
      output_dir: where files go; '': the folder of the input checkpoint.
      pruned_ckpt_path: of the last soft pruning.
      retrained_ckpt_path: of the last retraining.
      ckpt_to_strip: the rebuilt checkpoint.
      ranking: what ranks filters.
      choice: how many filters go.
      trained: the input checkpoint with its groups, once it was read.
      plan: of the current step.
      norms_before: group -> norms of its filters before they were zeroed.
      rebuilt: the rebuilt checkpoint with its groups, once it was read.
      strip_plan: what is stripped from it.
      exported: checkpoint and frozen graph of the last stripping.
      failed_rate: of the last `get_pruning_summary`.
      strip_report: of the last `get_strip_ckpt`.
      repair_report: of the last soft pruning; None: nothing was repaired.

    Raises:
      OptionError: if there is no input checkpoint.
      CheckpointError: if it is missing or damaged.
    """

    options: PruningOptions
    given_filters: planning.Filters
    input_ckpt_path: str
    output_dir: str
    pruned_ckpt_path: str
    retrained_ckpt_path: str
    ckpt_to_strip: str
    ranking: Ranking = dataclasses.field(default_factory=ranking_lib.ranking_by)
    choice: Optional[Choice] = None
    trained: Optional[Selection] = None
    plan: Optional[Plan] = None
    norms_before: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    rebuilt: Optional[Selection] = None
    strip_plan: Optional[Plan] = None
    exported: Tuple[str, str] = ('', '')
    failed_rate: float = 1.0
    strip_report: Optional[StrippedModel] = None
    repair_report: Optional[Repaired] = None

    def __post_init__(self) -> None:
        if not self.input_ckpt_path:
            raise OptionError(
                'input_ckpt_path is missing; expected the prefix of a checkpoint, such '
                'as model.ckpt-1000.'
            )
        self.input_ckpt_path = Checkpoint(self.input_ckpt_path).prefix
        self.output_dir = self.output_dir or self.source_folder

    @property
    def source_folder(self) -> str:
        """Folder of the input checkpoint."""
        return os.path.dirname(self.input_ckpt_path) or '.'

    def set_option(self, name: str, value: Any) -> None:
        """Changes an option; what it had a part in is forgotten.

        Raises:
          OptionError: if the value is out of range.
          GraphError: if it is a malformed output name.
        """
        self.options = dataclasses.replace(self.options, **{name: value})
        if name not in ('channel_multiple', 'mode', *_EXPORTS):
            self.trained = self.rebuilt = None
        if name in _EXPORTS:
            self.exported = ('', '')

    def set_found(self, name: str, value: Any) -> None:
        """Changes a field to what an earlier run has found.

        Raises:
          OptionError: if the value has another type than the field.
        """
        typed.check(name, value, typing.get_type_hints(State)[name])
        setattr(self, name, value)

    def read_trained(self) -> Selection:
        """Reads the input checkpoint and selects its groups; writes nothing."""
        how = self.options.load_options(traced_only=self.options.repair is None)
        self.trained = self._selected(self.input_ckpt_path, how)
        return self.trained

    def read_retrained(self) -> Selection:
        """Reads the inference graph of the retrained checkpoint."""
        how = self.options.load_options(traced_only=False)
        return self._selected(self.retrained_ckpt_path, how)

    def _selected(self, checkpoint: str, how: LoadOptions) -> Selection:
        options = self.options
        model = load(checkpoint, options.outputs, how)
        return select_groups(model, options.scope_names, options.groups)

    def choose_filters(self) -> Plan:
        """Plans by the threshold or choice, or else by the given filters."""
        selection, options = self.current(), self.options
        if self.choice is None:
            self.plan = self._plan_by_filters(selection, self.given_filters)
        else:
            choice = ranking_lib.rounded(self.choice, options.channel_multiple)
            groups = selection.groups.values()
            self.plan = planning.plan_by_choice(
                selection.model, groups, choice, self.ranking, options.mode
            )
        return self.plan

    def _plan_by_filters(self, selection: Selection, filters: planning.Filters) -> Plan:
        options = self.options
        return planning.plan_by_filters(
            selection.model,
            selection.groups,
            filters,
            options.channel_multiple,
            options.mode,
        )

    def load_filters(self, path: str) -> Plan:
        """Takes a plan, or filters by name, from a file."""
        selection = self.current()
        if path.endswith('.pkl'):
            largest = pickled_filters.largest_size(selection.groups.values())
            filters = pickled_filters.read_filters(path, largest)
            plan = self._plan_by_filters(selection, filters)
        else:
            plan = plan_json.load_plan(path)
        selection.check_plan(plan)
        self.plan = plan
        return plan

    def repair(self, plan: Plan) -> Optional[Repaired]:
        """The input checkpoint, pruned and repaired; None: no repair is asked for."""
        given, model = self.options.repair, self.current().model
        if given is None:
            return None
        if not isinstance(given, Samples):
            given = sampling.of_model(model, given)
        for note in (*given.notes, *sampling.warnings(model, given)):
            logging.warning('%s', note.text)
        found = repairing.repair_on(model, plan, given, self.options.repair_options)
        logging.info('%s', found.summary)
        return found

    def summarize(self, accuracy: Optional[float]) -> float:
        """Counts failures, and writes them for people, programs and TensorBoard."""
        plan = self.needed_plan('get_pruning_summary')
        self.check_retrained('get_pruning_summary')
        retrained = Checkpoint(self.retrained_ckpt_path)
        report = failure.count_failures(retrained, plan)
        output_files.write_failure(self.output_dir, report)
        self.failed_rate = report.total.rate
        if self.trained is not None:
            output_files.write_events(
                self.output_dir,
                self.trained,
                plan,
                retrained,
                self.norms_before,
                {'failure_rate': self.failed_rate, 'accuracy': accuracy},
            )
        return self.failed_rate

    def strip(self) -> StrippedModel:
        """Strips the rebuilt checkpoint, verifies and writes it."""
        plan, options = self.strip_plan, self.options
        rebuilt = self.needed_rebuilt('get_strip_ckpt') if plan else None
        # Another plan or another rebuilt graph makes the parameters stale.
        if plan is None or rebuilt is None or self.strip_plan is not self.plan:
            raise WorkflowError(
                'get_strip_ckpt() needs the parameters: call get_strip_params() first.'
            )
        self.check_export()
        small = stripping.strip_model(rebuilt.model, plan, prunable=rebuilt.layers)
        self.exported = output_files.write_stripped(
            self.output_dir, small, options.export_ckpt_path, options.export_pb_path
        )
        if self.retrained_ckpt_path:
            meta_path = Checkpoint(self.retrained_ckpt_path).meta_path
            output_files.write_training_meta(self.output_dir, meta_path, small)
        self.strip_report = small
        return small

    # -- what a step needs; WorkflowError says what comes before it ------------------

    def current(self) -> Selection:
        """The graph of the input checkpoint, which has been read."""
        selection = self.trained
        if selection is None or selection.model.path != self.input_ckpt_path:
            raise WorkflowError(
                f'The graph of {self.input_ckpt_path!r} has not been read: call '
                'get_pruning_params() first.'
            )
        return selection

    def check_amount(self, step: str) -> None:
        """Refuses a step that does not know how many filters go."""
        if self.choice is None and not self.given_filters:
            raise WorkflowError(
                f'{step}() has to know how many filters go: call set_threshold() or '
                'set_choice() first.'
            )

    def needed_plan(self, step: str) -> Plan:
        """The plan, also one that an earlier run left in `output_dir`."""
        if self.plan is None:
            self.plan = output_files.read_plan(self.output_dir)
        if self.plan is None:
            raise WorkflowError(
                f'{step} needs filters to prune: call get_pruning_filters() first.'
            )
        return self.plan

    def check_retrained(self, step: str) -> None:
        """Refuses a step that needs a retrained checkpoint, if there is none."""
        if not self.retrained_ckpt_path:
            raise WorkflowError(
                f'{step}() needs a retrained checkpoint: train from pruned_ckpt_path, '
                'then call get_retrained_ckpt(dir).'
            )

    def needed_rebuilt(self, step: str) -> Selection:
        """The rebuilt checkpoint, also one of an earlier run."""
        if not self.ckpt_to_strip:
            raise WorkflowError(
                f'{step}() needs the inference graph: call get_rebuild_graph() first.'
            )
        known = self.rebuilt
        if known is not None and known.model.path == self.ckpt_to_strip:
            return known
        return self.keep_rebuilt(self._selected(self.ckpt_to_strip, LoadOptions()))

    def keep_rebuilt(self, selection: Selection) -> Selection:
        """Remembers a rebuilt checkpoint; an older plan of what to strip goes."""
        self.rebuilt, self.ckpt_to_strip = selection, selection.model.path
        self.strip_plan = None
        return selection

    def check_export(self) -> None:
        """Refuses to replace a checkpoint that the stripped one is made from."""
        sources = (
            self.input_ckpt_path,
            self.pruned_ckpt_path,
            self.retrained_ckpt_path,
            self.ckpt_to_strip,
        )
        if self.options.export_ckpt_path:
            protection.check_target(self.options.export_ckpt_path, sources)
