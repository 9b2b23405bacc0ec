"""Class `Pruning` runs the steps of pruning in their order.

Soft pruning, once per threshold:

    set_output_dir -> get_pruning_params -> set_threshold -> get_pruning_filters
    -> get_pruning_ckpt -> (your training) -> get_retrained_ckpt -> get_pruning_summary

`pruning_process` does the three from `get_pruning_params` to `get_pruning_ckpt`. Then
stripping:

    get_rebuild_graph -> get_strip_params -> get_strip_ckpt

Files below `output_dir`: `Pruning_Dict/*.json`, `Pruned_Dir/` (the soft-pruned
checkpoint and `Pruned_Filters.txt`), `Pruning_Summary.txt` and `summary.json`,
`Rebuild_CKPT/`, `Stripped_Dir/` (the stripped checkpoint, `modify.pb`, `report.json`,
and `training.meta` to train on from), and `events/` for TensorBoard.
"""

from __future__ import annotations

import dataclasses
import os
from types import MappingProxyType
from typing import Any, Mapping, Optional, Sequence

from absl import logging

from tf1pruning import files, typed
from tf1pruning import plan as plan_lib
from tf1pruning.channels import select
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Combination
from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.ckpt.arrays import check_readable
from tf1pruning.criteria import registry
from tf1pruning.facade import dictionaries, output_files
from tf1pruning.facade.attributes import Computed, Exported, Found, Option
from tf1pruning.facade.options import PruningOptions, RepairData, check_computed
from tf1pruning.facade.state import State
from tf1pruning.plan import Plan
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.report import summaries
from tf1pruning.scoring.result import Scores
from tf1pruning.steps import protection, stripping
from tf1pruning.steps.ranking import ranking_by
from tf1pruning.steps.repairing import Repaired

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@typed.checked
class Pruning:
    """Soft-prunes a checkpoint, measures retraining, strips, exports.

    Args:
      input_ckpt_path: prefix of the checkpoint to prune; its `.meta` lies beside it.
      scope_names: scopes whose blocks are pruned, matched at `/`; `['']`: all of them.
      scope_conv_dict, conv_vars_dict, bias_vars_dict, strip_nodes_dict,
        strip_vars_dict: leave them empty; they are computed, and keywords only for
        older scripts.
      pruning_filters_dict: filters to prune as long as no threshold is set: group or
        scope -> filters, counted along the first convolution of the block.
      pruned_ckpt_path: soft-pruned checkpoint of an earlier run.
      retrained_ckpt_path: retrained checkpoint of an earlier run.
      rebuild_meta_graph: path of an inference meta graph; None: it is derived from the
        training meta graph beside the retrained checkpoint.
      input_tensors_map: tensor name in the meta graph -> placeholder that replaces it.
      ckpt_to_strip: rebuilt checkpoint of an earlier run.
      output_dir: where files go; None: the folder of `input_ckpt_path`.
      output_nodes: output node names, separated by commas.
      export_ckpt_path: prefix of the stripped checkpoint; '': below `Stripped_Dir`.
      export_pb_path: path of the frozen graph; '': `Stripped_Dir/modify.pb`.
      channel_multiple: a block that is cut keeps a multiple of it.
      mode: 'block' zeroes every place of a filter, 'filter' its kernels only.
      groups: 'inner': the inner channels of inverted-residual and squeeze-and-excite
        blocks. 'all': every group of the scopes, also those that adds and concats tie.
        'auto': 'inner', or 'all' in a model without such blocks, which the log says.
      criterion, scores, combination, seed: see `set_criterion`.
      repair: samples without labels. Each soft-pruned checkpoint is repaired on them,
        see `repair`, so that the retraining starts from weights that answer like those
        before the pruning. An `input_fn` as for an Estimator, whose labels are left
        out; 'graph': the input pipeline of the training graph; arrays by input; all
        else that `samples` takes, or what it gives. None: no repair.
      repair_options: how.

    Attributes:
      plan: of the current step; None before `get_pruning_filters`.
      criterion: name of what ranks filters.
      failed_rate: of the last `get_pruning_summary`; 1.0 before the first.
      strip_report: `StrippedModel` of the last `get_strip_ckpt`, else None.
      repair_report: `Repaired` of the last soft-pruned checkpoint, else None.

    Raises:
      OptionError: on a bad option.
      DataError: if the file of scores is missing or damaged. Steps that repair: if the
        samples are missing or damaged, too few, or do not fit the inputs.
      GraphError: on a malformed output name. Steps: if the graph is damaged, or lacks
        an output or a scope, or a scope holds nothing that may be cut.
      CheckpointError: if the checkpoint is missing or damaged. Steps also: if a weight
        that they look at is NaN or infinite.
      WorkflowError: from steps, if one before them is missing; says which.
      OutputError: from steps, if a file cannot be written, or would replace what it is
        made from.
      Each step documents what else it raises.
    """

    scope_names = Option()
    output_nodes = Option()
    channel_multiple = Option()
    mode = Option()
    groups = Option()
    rebuild_meta_graph = Option()
    input_tensors_map = Option()
    repair = Option()
    repair_options = Option()
    input_ckpt_path = Found()
    pruned_ckpt_path = Found()
    retrained_ckpt_path = Found()
    ckpt_to_strip = Found()
    output_dir = Found()
    failed_rate = Found()
    strip_report = Found()
    export_ckpt_path = Exported(0)
    export_pb_path = Exported(1)
    plan = Computed(lambda state: state.plan)
    repair_report = Computed(lambda state: state.repair_report)
    criterion = Computed(lambda state: state.ranking.criterion.name)
    scope_conv_dict = Computed(dictionaries.scope_conv)
    conv_vars_dict = Computed(dictionaries.conv_vars)
    bias_vars_dict = Computed(dictionaries.bias_vars)
    pruning_filters_dict = Computed(dictionaries.pruning_filters)
    strip_nodes_dict = Computed(dictionaries.strip_nodes)
    strip_vars_dict = Computed(dictionaries.strip_vars)

    def __init__(
        self,
        input_ckpt_path: Optional[files.Path] = None,
        scope_names: Sequence[str] = ('',),
        scope_conv_dict: Mapping[str, Any] = _NOTHING,
        conv_vars_dict: Mapping[str, Any] = _NOTHING,
        bias_vars_dict: Mapping[str, Any] = _NOTHING,
        pruning_filters_dict: Mapping[str, Sequence[int]] = _NOTHING,
        pruned_ckpt_path: files.Path = '',
        retrained_ckpt_path: files.Path = '',
        rebuild_meta_graph: Optional[files.Path] = None,
        input_tensors_map: Mapping[str, Any] = _NOTHING,
        ckpt_to_strip: files.Path = '',
        strip_nodes_dict: Mapping[str, Any] = _NOTHING,
        strip_vars_dict: Mapping[str, Any] = _NOTHING,
        output_dir: Optional[files.Path] = None,
        output_nodes: str = 'output',
        export_ckpt_path: files.Path = '',
        export_pb_path: files.Path = '',
        channel_multiple: int = 4,
        mode: str = plan_lib.BLOCK,
        groups: str = select.AUTO,
        criterion: str = registry.DEFAULT,
        scores: files.Path = '',
        combination: Combination = Combination(),
        seed: int = 0,
        repair: Optional[RepairData] = None,
        repair_options: RepairOptions = RepairOptions(),
    ):
        check_computed(
            scope_conv_dict=scope_conv_dict,
            conv_vars_dict=conv_vars_dict,
            bias_vars_dict=bias_vars_dict,
            strip_nodes_dict=strip_nodes_dict,
            strip_vars_dict=strip_vars_dict,
        )
        self._state = State(
            options=PruningOptions(
                scope_names=scope_names,
                output_nodes=output_nodes,
                channel_multiple=channel_multiple,
                mode=mode,
                groups=groups,
                rebuild_meta_graph=os.fspath(rebuild_meta_graph or '') or None,
                input_tensors_map=dict(input_tensors_map),
                export_ckpt_path=os.fspath(export_ckpt_path),
                export_pb_path=os.fspath(export_pb_path),
                repair=repair,
                repair_options=repair_options,
            ),
            given_filters=dict(pruning_filters_dict),
            input_ckpt_path=os.fspath(input_ckpt_path or ''),
            output_dir=os.fspath(output_dir or ''),
            pruned_ckpt_path=os.fspath(pruned_ckpt_path),
            retrained_ckpt_path=os.fspath(retrained_ckpt_path),
            ckpt_to_strip=os.fspath(ckpt_to_strip),
        )
        self.set_criterion(criterion, scores, combination, seed)

    @typed.checked
    def set_output_dir(self, dir_path: Optional[files.Path] = None) -> None:
        """Makes the folder for all files from now on; None: the checkpoint's folder."""
        folder = os.fspath(dir_path or self._state.source_folder)
        self.output_dir = files.make_folder(folder)

    @typed.checked
    def set_threshold(self, value: float) -> None:
        """Sets the score, such as the sparsity, above which a filter is redundant.

        Raises:
          OptionError: unless it lies in (0, 1), and the criterion's scores do.
        """
        self.set_choice(Choice(threshold=value))

    @typed.checked
    def set_choice(self, choice: Choice) -> None:
        """Sets how many filters go, other than by a threshold.

        Args:
          choice: ratio, count or target, per group or of all groups together, and what
            must stay. Kept widths are multiples of `channel_multiple`.

        Raises:
          OptionError: if it is a threshold and the criterion gives no shares.
        """
        self._state.ranking.check(choice)
        self._state.choice = choice

    @typed.checked
    def set_criterion(
        self,
        criterion: str,
        scores: files.Path = '',
        combination: Combination = Combination(),
        seed: int = 0,
    ) -> None:
        """Sets what ranks filters, from the next choice of filters on.

        Args:
          criterion: name of any criterion, on weights or on data.
          scores: for one on data: the file that `score` wrote for the checkpoint
            that is pruned next. After a retraining there are new scores.
          combination: of the scores of a group's layers.
          seed: of a criterion that draws, such as 'random'.

        Raises:
          OptionError: if there is no such criterion, it needs scores and gets none or
            needs none and gets some, or a threshold is set and it gives no shares.
          DataError: if the file of scores is missing or damaged.
        """
        found = ranking_by(
            criterion, Scores.load(scores) if scores else None, combination, seed
        )
        found.check_scored()
        if self._state.choice is not None:
            found.check(self._state.choice)
        self._state.ranking = found

    def get_pruning_params(self) -> None:
        """Reads the graph and finds the channels that may be pruned."""
        self._state.read_trained()
        self._write_params()

    def get_pruning_filters(self) -> None:
        """Chooses the redundant filters: those above the threshold, or by the choice.

        Raises:
          OptionError: if the choice does not fit the groups, the criterion or the
            `channel_multiple`.
          PlanError: if the filters given instead of a threshold do not exist, or the
            limits of the choice do not let as much go.
          DataError: if scores are of another model.
        """
        state = self._state
        state.current()
        state.check_amount('get_pruning_filters')
        output_files.write_plan(state.output_dir, state.choose_filters())

    @typed.checked
    def get_pruning_ckpt(
        self, pruning_filters_path: Optional[files.Path] = None
    ) -> str:
        """Writes the soft-pruned checkpoint.

        Args:
          pruning_filters_path: filters to use instead of the chosen ones: a
            `Pruned_Filters.json`, or a `.pkl` of a dict (scope -> filters).

        Returns:
          Prefix of the checkpoint, ready to retrain; also in `pruned_ckpt_path`.

        Raises:
          PlanError: if the given filters cannot be read or do not fit the model.
        """
        state = self._state
        selection = state.current()
        if pruning_filters_path is not None:
            state.load_filters(os.fspath(pruning_filters_path))
        plan = state.needed_plan('get_pruning_ckpt')
        selection.check_plan(plan)
        repaired = state.repair(plan)
        if pruning_filters_path is not None:
            output_files.write_plan(state.output_dir, plan)
        return self._write_ckpt(plan, repaired)

    def _write_ckpt(self, plan: Plan, repaired: Optional[Repaired]) -> str:
        """Writes the soft-pruned checkpoint of a plan that fits."""
        state, selection = self._state, self._state.current()
        state.norms_before = summaries.filter_norms(
            selection.groups.values(), selection.model.variables
        )
        model = repaired.model if repaired else selection.model
        state.pruned_ckpt_path = output_files.write_soft_pruned(
            state.output_dir, model, plan
        )
        state.retrained_ckpt_path, state.repair_report = '', repaired
        logging.info('Soft-pruned %d channels', plan.removed_count)
        return state.pruned_ckpt_path

    @typed.checked
    def get_retrained_ckpt(
        self,
        dir: files.Path,  # noqa: A002 (the given name)
    ) -> str:
        """Finds the newest checkpoint that retraining left in a folder.

        It becomes the input of the next step.

        Returns:
          Its prefix; also in `retrained_ckpt_path`.
        """
        newest = checkpoint_lib.latest(os.fspath(dir))
        self._state.retrained_ckpt_path = self._state.input_ckpt_path = newest
        return newest

    @typed.checked
    def get_pruning_summary(self, accuracy: Optional[float] = None) -> float:
        """Counts the planned zeros that retraining did not leave zero.

        Writes `Pruning_Summary.txt`, `summary.json` and TensorBoard events.

        Args:
          accuracy: of the retrained network, to be put among the events.

        Returns:
          Share of the planned places that are not zero; 0.0 if none was planned.

        Raises:
          PlanError: if the plan does not fit it, or the one of an earlier run is
            damaged.
        """
        return self._state.summarize(accuracy)

    @typed.checked
    def pruning_process(self, retrain: bool = False) -> str:
        """One soft-pruning step.

        Args:
          retrain: False: choose filters at the current threshold. True: zero the
            filters of the last step again, in the retrained checkpoint.

        Returns:
          Prefix of the soft-pruned checkpoint.

        Raises:
          OptionError: like `get_pruning_filters`.
          PlanError: if the filters of the earlier step do not fit the checkpoint, or
            given ones do not exist.
        """
        # Everything that can fail comes before the first file.
        state = self._state
        if retrain:
            plan = state.needed_plan('pruning_process(retrain=True)')
            state.read_trained().check_plan(plan)
        else:
            state.check_amount('pruning_process')
            state.read_trained()
            plan = state.choose_filters()
        model = state.current().model
        target = output_files.pruned_path(state.output_dir, model)
        protection.check_target(target, [model.path])
        check_readable(model.variables)
        repaired = state.repair(plan)
        self._write_params()
        output_files.write_plan(state.output_dir, plan)
        return self._write_ckpt(plan, repaired)

    def _write_params(self) -> None:
        output_files.write_dictionaries(
            self.output_dir,
            Scope_Conv_Dict=self.scope_conv_dict,
            Conv_Vars_Dict=self.conv_vars_dict,
            Bias_Vars_Dict=self.bias_vars_dict,
        )

    def get_rebuild_graph(self) -> str:
        """Writes the inference graph of the retrained checkpoint, with its weights.

        The graph is `rebuild_meta_graph`, cut at `input_tensors_map`; without one it is
        derived from the training graph.

        Returns:
          Prefix of the checkpoint; also in `ckpt_to_strip`.
        """
        state = self._state
        state.check_retrained('get_rebuild_graph')
        retrained = state.read_retrained()
        rebuilt = output_files.write_rebuilt(state.output_dir, retrained.model)
        state.keep_rebuilt(dataclasses.replace(retrained, model=rebuilt))
        return state.ckpt_to_strip

    def get_strip_params(self) -> None:
        """Finds the nodes and variables that shrink.

        Raises:
          PlanError: if the plan does not fit the rebuilt graph.
        """
        state = self._state
        selection = state.needed_rebuilt('get_strip_params')
        plan = state.needed_plan('get_strip_params')
        selection.check_plan(plan)
        state.strip_plan = plan
        output_files.write_dictionaries(
            state.output_dir,
            Strip_Nodes_Dict=self.strip_nodes_dict,
            Strip_Vars_Dict=self.strip_vars_dict,
        )

    def get_strip_ckpt(self) -> str:
        """Removes the planned filters and writes the small network.

        Only what provably changes no output is removed. The result is run against the
        soft-pruned network on random input; the largest difference is printed. What
        stays although it was planned is printed, with the reason.

        Returns:
          Prefix of the stripped checkpoint; also in `export_ckpt_path`, and the frozen
          graph in `export_pb_path`.

        Raises:
          VerificationError: if the outputs differ; nothing is written then.
        """
        small = self._state.strip()
        # The contract asks for the last line on the terminal, whatever the log level.
        for kept in small.stripped.kept:
            print(f'kept {len(kept.channels)} of {kept.group}: {kept.reason}')
        print(stripping.summary_line(small))
        return self.export_ckpt_path
