"""What a `Pruning` object knows between its steps."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels import select
from tf1pruning.choosing.choice import Choice
from tf1pruning.choosing.scores import Combination
from tf1pruning.errors import WorkflowError
from tf1pruning.workflow import (
    keywords,
    loading,
    outputs,
    planning,
    ranking,
    stripping,
    views,
)
from tf1pruning.workflow import scoped as scoped_lib
from tf1pruning.workflow.scoped import Scoped

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DERIVED = (
    'scope_conv_dict',
    'conv_vars_dict',
    'bias_vars_dict',
    'strip_nodes_dict',
    'strip_vars_dict',
)


class PruningState:
    """Options, paths and intermediate results; see `pruning.Pruning`.

    Raises:
      OptionError: on a bad option.
      DataError: if the file of scores is missing or damaged.
      GraphError: on a malformed output name.
      CheckpointError: if the checkpoint is missing or damaged.
    """

    def __init__(
        self,
        input_ckpt_path: Optional[str] = None,
        scope_names: Sequence[str] = ('',),
        scope_conv_dict: Mapping[str, Any] = _NOTHING,
        conv_vars_dict: Mapping[str, Any] = _NOTHING,
        bias_vars_dict: Mapping[str, Any] = _NOTHING,
        pruning_filters_dict: Mapping[str, Sequence[int]] = _NOTHING,
        pruned_ckpt_path: str = '',
        retrained_ckpt_path: str = '',
        rebuild_meta_graph: Optional[str] = None,
        input_tensors_map: Mapping[str, Any] = _NOTHING,
        ckpt_to_strip: str = '',
        strip_nodes_dict: Mapping[str, Any] = _NOTHING,
        strip_vars_dict: Mapping[str, Any] = _NOTHING,
        output_dir: Optional[str] = None,
        output_nodes: str = 'output',
        export_ckpt_path: str = '',
        export_pb_path: str = '',
        channel_multiple: int = 4,
        mode: str = plan_lib.BLOCK,
        groups: str = select.INNER,
        criterion: str = 'sparsity',
        scores: str = '',
        combination: Combination = Combination(),  # noqa: B008 (frozen)
        seed: int = 0,
    ):
        given = (
            scope_conv_dict,
            conv_vars_dict,
            bias_vars_dict,
            strip_nodes_dict,
            strip_vars_dict,
        )
        keywords.check_empty(dict(zip(_DERIVED, given)))
        self._ranking = ranking.ranking(criterion, scores, combination, seed)
        self.input_ckpt_path = keywords.existing(input_ckpt_path)
        self.pruned_ckpt_path = pruned_ckpt_path
        self.retrained_ckpt_path = retrained_ckpt_path
        self.rebuild_meta_graph = rebuild_meta_graph
        self.input_tensors_map = dict(input_tensors_map)
        self.ckpt_to_strip = ckpt_to_strip
        self._given_filters = dict(pruning_filters_dict)
        self._start_anew()
        self.scope_names = scope_names
        self.output_nodes = output_nodes
        self.channel_multiple = channel_multiple
        self.mode = mode
        self.groups = groups
        self.export_ckpt_path = export_ckpt_path
        self.export_pb_path = export_pb_path
        self.output_dir = output_dir or os.path.dirname(self.input_ckpt_path) or '.'

    def _start_anew(self) -> None:
        """The state before the first step."""
        self.failed_rate = 1.0
        self.strip_report: Optional[stripping.Result] = None
        self._choice: Optional[Choice] = None
        self._trained: Optional[Scoped] = None
        self._plan: Optional[plan_lib.Plan] = None
        self._norms_before: Mapping[str, np.ndarray] = {}
        self._rebuilt: Optional[Scoped] = None
        self._rebuilt_path = ''
        self._strip_plan: Optional[plan_lib.Plan] = None
        self._exported = ('', '')

    # -- options -------------------------------------------------------------------

    @property
    def scope_names(self) -> Sequence[str]:
        """Scopes whose blocks are pruned.

        Raises:
          OptionError: when set to other than a list of strings.
        """
        return list(self._scope_names)

    @scope_names.setter
    def scope_names(self, value: Sequence[str]) -> None:
        self._scope_names = keywords.scopes(value)
        self._trained = self._rebuilt = None

    @property
    def groups(self) -> str:
        """'inner' or 'all': which groups of the scopes are pruned.

        Raises:
          OptionError: when set to something else.
        """
        return self._groups

    @groups.setter
    def groups(self, value: str) -> None:
        self._groups = select.check_which(value)
        self._trained = self._rebuilt = None

    @property
    def output_nodes(self) -> str:
        """Output node names, separated by commas.

        Raises:
          GraphError: when set to a blank, or another tensor of a node than its first.
        """
        return self._output_nodes

    @output_nodes.setter
    def output_nodes(self, value: str) -> None:
        self._outputs = loading.split_outputs(value)
        self._output_nodes = value
        self._trained = self._rebuilt = None

    @property
    def channel_multiple(self) -> int:
        """A block that is cut keeps a multiple of it; from the next choice on.

        Raises:
          OptionError: when set to other than an integer of at least 1.
        """
        return self._channel_multiple

    @channel_multiple.setter
    def channel_multiple(self, value: int) -> None:
        self._channel_multiple = plan_lib.check_multiple(value)

    @property
    def mode(self) -> str:
        """'block' or 'filter'; from the next choice of filters on.

        Raises:
          OptionError: when set to something else.
        """
        return self._mode

    @mode.setter
    def mode(self, value: str) -> None:
        plan_lib.check_mode(value)
        self._mode = value

    @property
    def criterion(self) -> str:
        """What ranks filters; see `set_criterion`."""
        return self._ranking.criterion

    @property
    def export_ckpt_path(self) -> str:
        """Prefix of the stripped checkpoint: the last one, or where it is to go."""
        return self._exported[0] or self._export_ckpt_path

    @export_ckpt_path.setter
    def export_ckpt_path(self, value: str) -> None:
        self._export_ckpt_path, self._exported = value, ('', '')

    @property
    def export_pb_path(self) -> str:
        """Path of the frozen graph: the last one, or where it is to go."""
        return self._exported[1] or self._export_pb_path

    @export_pb_path.setter
    def export_pb_path(self, value: str) -> None:
        self._export_pb_path, self._exported = value, ('', '')

    # -- views ---------------------------------------------------------------------

    @property
    def scope_conv_dict(self) -> Dict[str, List[str]]:
        """Scope -> names of its convolution and dense nodes."""
        scoped = self._trained
        return views.scope_conv(scoped.selection) if scoped else {}

    @property
    def conv_vars_dict(self) -> Dict[str, str]:
        """Node name -> name of its weight variable."""
        scoped = self._trained
        if scoped is None:
            return {}
        return views.conv_vars(scoped.selection, scoped.source.trace)

    @property
    def bias_vars_dict(self) -> Dict[str, List[str]]:
        """Node name -> names of the bias or batch-norm variables behind it."""
        scoped = self._trained
        if scoped is None:
            return {}
        return views.bias_vars(scoped.selection, scoped.source.trace)

    @property
    def pruning_filters_dict(self) -> Dict[str, Sequence[int]]:
        """Scope or group -> filters that are pruned."""
        if self._plan is None:
            return dict(self._given_filters)
        scoped = self._trained or self._rebuilt
        selection = scoped.selection if scoped else {}
        return dict(views.pruning_filters(self._plan, selection))

    @property
    def strip_nodes_dict(self) -> Dict[str, List[str]]:
        """Scope or group -> nodes whose kernels shrink."""
        if self._strip_plan is None or self._rebuilt is None:
            return {}
        return views.strip_nodes(self._strip_plan, self._rebuilt.selection)

    @property
    def strip_vars_dict(self) -> Dict[str, Dict[str, List[int]]]:
        """Variable -> axis -> indices that are removed."""
        return views.strip_vars(self._strip_plan) if self._strip_plan else {}

    @property
    def plan(self) -> Optional[plan_lib.Plan]:
        """The plan of the current step, or None before `get_pruning_filters`."""
        return self._plan

    # -- state ---------------------------------------------------------------------

    def _read_params(self) -> Scoped:
        """Reads the graph and selects the groups; writes nothing."""
        source = loading.load_for_planning(
            self.input_ckpt_path,
            self._outputs,
            self.rebuild_meta_graph,
            self.input_tensors_map,
        )
        self._trained = self._scoped(source)
        return self._trained

    def _scoped(self, source: loading.Source) -> Scoped:
        return scoped_lib.choose(source, self._scope_names, self._groups)

    def _write_params(self) -> None:
        outputs.write_params(
            self.output_dir,
            self.scope_conv_dict,
            self.conv_vars_dict,
            self.bias_vars_dict,
        )

    def _choose_filters(self) -> plan_lib.Plan:
        """Plans by the threshold or choice, or else by the given filters."""
        scoped = self._current()
        if self._choice is None:
            self._plan = self._plan_by_filters(scoped, self._given_filters)
        else:
            choice = ranking.rounded(self._choice, self.channel_multiple)
            self._plan = self._ranking.plan(
                scoped.source, scoped.groups.values(), choice, self.mode
            )
        return self._plan

    def _plan_by_filters(
        self, scoped: Scoped, filters: planning.Filters
    ) -> plan_lib.Plan:
        return planning.plan_by_filters(
            scoped.source, scoped.groups, filters, self.channel_multiple, self.mode
        )

    def _current(self) -> Scoped:
        """The graph of the input checkpoint, which has been read."""
        scoped = self._trained
        if scoped is None or scoped.source.path != self.input_ckpt_path:
            raise WorkflowError(
                f'The graph of {self.input_ckpt_path!r} has not been read: call '
                'get_pruning_params() first.'
            )
        return scoped

    def _check_criterion(self, step: str) -> None:
        if self._choice is None and not self._given_filters:
            raise WorkflowError(
                f'{step}() has to know how many filters go: call set_threshold() or '
                'set_choice() first.'
            )

    def _needed_plan(self, step: str) -> plan_lib.Plan:
        """The plan, also one that an earlier run left in `output_dir`."""
        if self._plan is None:
            self._plan = outputs.read_plan(self.output_dir)
        if self._plan is None:
            raise WorkflowError(
                f'{step} needs filters to prune: call get_pruning_filters() first.'
            )
        return self._plan

    def _needed_rebuilt(self, step: str) -> Scoped:
        if not self.ckpt_to_strip:
            raise WorkflowError(
                f'{step}() needs the inference graph: call get_rebuild_graph() first.'
            )
        known = self._rebuilt
        if known is not None and self._rebuilt_path == self.ckpt_to_strip:
            return known
        source = loading.load_source(self.ckpt_to_strip, self._outputs)
        return self._keep_rebuilt(self.ckpt_to_strip, self._scoped(source))

    def _keep_rebuilt(self, path: str, scoped: Scoped) -> Scoped:
        self.ckpt_to_strip = self._rebuilt_path = path
        self._rebuilt = scoped
        self._strip_plan = None
        return scoped

    def _check_retrained(self, step: str) -> None:
        if not self.retrained_ckpt_path:
            raise WorkflowError(
                f'{step}() needs a retrained checkpoint: train from pruned_ckpt_path, '
                'then call get_retrained_ckpt(dir).'
            )

    def _check_export(self) -> None:
        sources = (
            self.input_ckpt_path,
            self.pruned_ckpt_path,
            self.retrained_ckpt_path,
            self.ckpt_to_strip,
        )
        if self._export_ckpt_path:
            stripping.check_target(self._export_ckpt_path, sources)

    def _load_filters(self, path: str) -> None:
        loaded = planning.load_filters(path)
        if not isinstance(loaded, plan_lib.Plan):
            loaded = self._plan_by_filters(self._current(), loaded)
        self._current().check_plan(loaded)
        self._plan = loaded
