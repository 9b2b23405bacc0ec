"""Class Pruning: the order of the steps.

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

import os
from typing import Optional

from absl import logging

from tf1pruning import files
from tf1pruning import plan as plan_lib
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Combination
from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.ckpt.arrays import check_readable
from tf1pruning.errors import WorkflowError
from tf1pruning.report import summaries
from tf1pruning.surgery import failure
from tf1pruning.workflow import loading, outputs, ranking, state, stripping


class Pruning(state.PruningState):
    """Soft-prunes a checkpoint, measures retraining, strips, exports.

    Args:
      input_ckpt_path: prefix of the checkpoint to prune; its `.meta` lies beside it.
      scope_names: scopes whose blocks are pruned, matched at `/`; `['']`: all of them.
      scope_conv_dict: computed, as are `conv_vars_dict`, `bias_vars_dict`,
        `strip_nodes_dict` and `strip_vars_dict`: keywords for the sake of older
        scripts, which must be left empty.
      conv_vars_dict: see `scope_conv_dict`.
      bias_vars_dict: see `scope_conv_dict`.
      pruning_filters_dict: filters to prune as long as no threshold is set: group or
        scope -> filters, counted along the first convolution of the block.
      pruned_ckpt_path: soft-pruned checkpoint of an earlier run.
      retrained_ckpt_path: retrained checkpoint of an earlier run.
      rebuild_meta_graph: path of an inference meta graph; None: it is derived from the
        training meta graph beside the retrained checkpoint.
      input_tensors_map: tensor name in the meta graph -> placeholder that replaces it.
      ckpt_to_strip: rebuilt checkpoint of an earlier run.
      strip_nodes_dict: see `scope_conv_dict`.
      strip_vars_dict: see `scope_conv_dict`.
      output_dir: where files go; None: the folder of `input_ckpt_path`.
      output_nodes: output node names, separated by commas.
      export_ckpt_path: prefix of the stripped checkpoint; '': below `Stripped_Dir`.
      export_pb_path: path of the frozen graph; '': `Stripped_Dir/modify.pb`.
      channel_multiple: a block that is cut keeps a multiple of it.
      mode: 'block' zeroes every place of a filter, 'filter' its kernels only.
      groups: 'inner': the inner channels of inverted-residual and squeeze-and-excite
        blocks. 'all': every group of the scopes, also those that adds and concats tie.
      criterion: what ranks filters, see `set_criterion`.
      scores: file of scores, see `set_criterion`.
      combination: of the scores of a group's layers.
      seed: of a criterion that draws.

    Attributes:
      failed_rate: of the last `get_pruning_summary`; 1.0 before the first.
      strip_report: `stripping.Result` of the last `get_strip_ckpt`, else None.

    Raises:
      OptionError: on a bad option.
      DataError: if the file of scores is missing or damaged.
      GraphError: on a malformed output name.
      CheckpointError: if the checkpoint is missing or damaged.
    """

    # -- soft pruning --------------------------------------------------------------

    def set_output_dir(self, dir_path: Optional[str] = None) -> None:
        """Chooses where files go from now on; the folder is made.

        Args:
          dir_path: folder; None: the folder of the input checkpoint.

        Raises:
          OutputError: if it cannot be made or written.
        """
        folder = dir_path or os.path.dirname(self.input_ckpt_path) or '.'
        self.output_dir = files.make_folder(folder)

    def set_threshold(self, value: float) -> None:
        """Sets the score, such as the sparsity, above which a filter is redundant.

        Raises:
          OptionError: unless it lies in (0, 1), and the criterion's scores do.
        """
        choice = Choice(threshold=plan_lib.check_threshold(value))
        self._ranking.check(choice)
        self._choice = choice

    def set_choice(self, choice: Choice) -> None:
        """Sets how many filters go otherwise than by a threshold.

        Args:
          choice: ratio, count or target, per group or of all groups together, and what
            must stay. Kept widths are multiples of `channel_multiple`.

        Raises:
          OptionError: if it is a threshold and the criterion's scores are no shares.
        """
        self._ranking.check(choice)
        self._choice = choice

    def set_criterion(
        self,
        criterion: str,
        scores: str = '',
        combination: Combination = Combination(),  # noqa: B008 (frozen)
        seed: int = 0,
    ) -> None:
        """Sets what ranks filters, from the next choice of filters on.

        Args:
          criterion: name of any criterion, on weights or on data.
          scores: for one on data: the file that tools/score.py wrote for the checkpoint
            that is pruned next. After a retraining there are new scores.
          combination: of the scores of a group's layers.
          seed: of a criterion that draws, such as 'random'.

        Raises:
          OptionError: if there is no such criterion, it needs scores and gets none or
            needs none and gets some, or a threshold is set and it gives no shares.
          DataError: if the file of scores is missing or damaged.
        """
        found = ranking.ranking(criterion, scores, combination, seed)
        found.check(self._choice)
        self._ranking = found

    def get_pruning_params(self) -> None:
        """Reads the graph and finds the channels that may be pruned.

        Raises:
          CheckpointError: if the checkpoint is missing or damaged.
          GraphError: if the meta graph is, a scope or an output does not exist, or a
            scope holds nothing that may be cut.
          OutputError: if the files cannot be written.
        """
        self._read_params()
        self._write_params()

    def get_pruning_filters(self) -> None:
        """Chooses the redundant filters: those above the threshold, or by the choice.

        Raises:
          WorkflowError: before `get_pruning_params`, or without threshold or choice.
          OptionError: if the choice does not fit the groups, the criterion or the
            `channel_multiple`.
          CheckpointError: if a weight is missing, damaged, NaN or infinite.
          PlanError: if the filters given instead of a threshold do not exist, or the
            limits of the choice do not let as much go.
          DataError: if scores are of another model.
          OutputError: if the plan cannot be written.
        """
        self._current()
        self._check_criterion('get_pruning_filters')
        outputs.write_plan(self.output_dir, self._choose_filters())

    def get_pruning_ckpt(self, pruning_filters_path: Optional[str] = None) -> str:
        """Writes the soft-pruned checkpoint.

        Args:
          pruning_filters_path: filters to use instead of the chosen ones: a
            `Pruned_Filters.json`, or a `.pkl` of a dict (scope -> filters).

        Returns:
          Prefix of the checkpoint, ready to retrain; also in `pruned_ckpt_path`.

        Raises:
          WorkflowError: before `get_pruning_params` or `get_pruning_filters`.
          PlanError: if the given filters cannot be read or do not fit the model.
          CheckpointError: if the checkpoint is damaged.
          GraphError: if it holds no variables.
          OutputError: if the result would replace its own source, or cannot be written.
        """
        scoped = self._current()
        source = scoped.source
        if pruning_filters_path is not None:
            self._load_filters(pruning_filters_path)
        plan = self._needed_plan('get_pruning_ckpt')
        scoped.check_plan(plan)
        if pruning_filters_path is not None:
            outputs.write_plan(self.output_dir, plan)
        self._norms_before = summaries.filter_norms(
            scoped.groups.values(), source.variables
        )
        self.pruned_ckpt_path = outputs.write_soft_pruned(self.output_dir, source, plan)
        self.retrained_ckpt_path = ''
        logging.info(
            'Soft-pruned %d of %d channels into %s',
            plan.removed,
            plan.removed + plan.kept,
            self.pruned_ckpt_path,
        )
        return self.pruned_ckpt_path

    def get_retrained_ckpt(self, dir: str) -> str:  # noqa: A002 (the given name)
        """Finds the newest checkpoint that retraining left in a folder.

        It becomes the input of the next step.

        Returns:
          Its prefix; also in `retrained_ckpt_path`.

        Raises:
          CheckpointError: if there is none.
        """
        self.retrained_ckpt_path = checkpoint_lib.latest(dir)
        self.input_ckpt_path = self.retrained_ckpt_path
        return self.retrained_ckpt_path

    def get_pruning_summary(self, accuracy: Optional[float] = None) -> float:
        """Counts the planned zeros that retraining did not leave zero.

        Writes `Pruning_Summary.txt`, `summary.json` and TensorBoard events.

        Args:
          accuracy: of the retrained network, to be put among the events.

        Returns:
          Share of the planned places that are not zero; 0.0 if none was planned.

        Raises:
          WorkflowError: before `get_pruning_filters` or `get_retrained_ckpt`.
          CheckpointError: if the retrained checkpoint is missing or damaged.
          PlanError: if the plan does not fit it, or the one of an earlier run is
            damaged.
          OutputError: if the files cannot be written.
        """
        plan = self._needed_plan('get_pruning_summary')
        self._check_retrained('get_pruning_summary')
        retrained = checkpoint_lib.Checkpoint(self.retrained_ckpt_path)
        report = failure.count_failures(retrained, plan)
        outputs.write_failure(self.output_dir, report)
        if self._trained is not None:
            outputs.write_events(
                self.output_dir,
                self._trained,
                plan,
                retrained,
                self._norms_before,
                {'failure_rate': report.total.rate, 'accuracy': accuracy},
            )
        self.failed_rate = report.total.rate
        return self.failed_rate

    def pruning_process(self, retrain: bool = False) -> str:
        """One soft-pruning step.

        Args:
          retrain: False: choose filters anew at the current threshold. True: zero the
            same filters again in the retrained checkpoint.

        Returns:
          Prefix of the soft-pruned checkpoint.

        Raises:
          WorkflowError: for `retrain=True` without filters of an earlier step, else
            without a threshold or choice.
          OptionError: like `get_pruning_filters`.
          CheckpointError: if the checkpoint is damaged or has a NaN weight.
          GraphError: if its meta graph is damaged, or a scope or output does not exist.
          PlanError: if the filters of the earlier step do not fit the checkpoint, or
            given ones do not exist.
          OutputError: if the result would replace its own source, or cannot be written.
        """
        # Everything that can fail comes before the first file.
        if retrain:
            plan = self._needed_plan('pruning_process(retrain=True)')
            self._read_params().check_plan(plan)
        else:
            self._check_criterion('pruning_process')
            self._read_params()
            plan = self._choose_filters()
        source = self._current().source
        outputs.check_pruned_path(self.output_dir, source)
        check_readable(source.variables)
        self._write_params()
        outputs.write_plan(self.output_dir, plan)
        return self.get_pruning_ckpt()

    # -- stripping -----------------------------------------------------------------

    def get_rebuild_graph(self) -> str:
        """Writes the inference graph of the retrained checkpoint, with its weights.

        The graph is `rebuild_meta_graph`, cut at `input_tensors_map`; without one it is
        derived from the training graph.

        Returns:
          Prefix of the checkpoint; also in `ckpt_to_strip`.

        Raises:
          WorkflowError: before `get_retrained_ckpt`.
          CheckpointError: if the checkpoint is missing or damaged, or has a NaN weight.
          GraphError: if an output node does not exist, or no inference graph can be
            derived.
          OutputError: if the result would replace its own source, or cannot be written.
        """
        self._check_retrained('get_rebuild_graph')
        source = loading.load_source(
            self.retrained_ckpt_path,
            self._outputs,
            self.rebuild_meta_graph,
            self.input_tensors_map,
        )
        scoped = self._scoped(source)
        self._keep_rebuilt(outputs.write_rebuilt(self.output_dir, source), scoped)
        return self.ckpt_to_strip

    def get_strip_params(self) -> None:
        """Finds the nodes and variables that shrink.

        Raises:
          WorkflowError: before `get_rebuild_graph` or `get_pruning_filters`.
          CheckpointError: if the rebuilt checkpoint of an earlier run is missing or
            damaged.
          GraphError: if its graph is, or lacks an output or a scope.
          PlanError: if the plan does not fit the rebuilt graph.
          OutputError: if the files cannot be written.
        """
        scoped = self._needed_rebuilt('get_strip_params')
        plan = self._needed_plan('get_strip_params')
        scoped.check_plan(plan)
        self._strip_plan = plan
        outputs.write_strip_params(
            self.output_dir, self.strip_nodes_dict, self.strip_vars_dict
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
          WorkflowError: before `get_strip_params`.
          CheckpointError: if the rebuilt checkpoint is damaged or has a NaN weight.
          GraphError: if the outputs depend on ops that write files or call Python, or
            the weights take more than a frozen graph can hold.
          OutputError: if the result would replace a checkpoint it was made from, or
            cannot be written.
          VerificationError: if the outputs differ; nothing is written then.
        """
        plan = self._strip_plan
        scoped = self._needed_rebuilt('get_strip_ckpt') if plan else None
        # Another plan or another rebuilt graph makes the parameters stale.
        if plan is None or scoped is None or self._strip_plan is not self._plan:
            raise WorkflowError(
                'get_strip_ckpt() needs the parameters: call get_strip_params() first.'
            )
        self._check_export()
        result = stripping.strip_source(scoped.source, plan, scoped.layers)
        self._exported = outputs.write_stripped(
            self.output_dir,
            scoped.source,
            result,
            self._export_ckpt_path,
            self._export_pb_path,
        )
        meta_path = f'{self.retrained_ckpt_path}.meta'
        outputs.write_training_meta(self.output_dir, meta_path, self._outputs, result)
        self.strip_report = result
        # The contract asks for the last line on the terminal, whatever the log level.
        for kept in result.stripped.kept:
            print(f'kept {len(kept.channels)} of {kept.group}: {kept.reason}')
        print(stripping.summary_line(result))
        return self.export_ckpt_path
