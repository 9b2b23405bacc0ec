"""What a `Pruning` object knows between its steps."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from tf1pruning import plan as plan_lib
from tf1pruning.channels import select
from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.errors import OptionError, OutputError, WorkflowError
from tf1pruning.workflow import loading, outputs, planning, stripping, views

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DERIVED = (
    'scope_conv_dict',
    'conv_vars_dict',
    'bias_vars_dict',
    'strip_nodes_dict',
    'strip_vars_dict',
)


class PruningState:
    """Options, paths and intermediate results; see `pruning.Pruning`."""

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
    ):
        given = (
            scope_conv_dict,
            conv_vars_dict,
            bias_vars_dict,
            strip_nodes_dict,
            strip_vars_dict,
        )
        _check_empty(dict(zip(_DERIVED, given)))
        plan_lib.check_mode(mode)
        self.input_ckpt_path = _existing(input_ckpt_path)
        self.scope_names = _scopes(scope_names)
        self.pruned_ckpt_path = pruned_ckpt_path
        self.retrained_ckpt_path = retrained_ckpt_path
        self.rebuild_meta_graph = rebuild_meta_graph
        self.input_tensors_map = dict(input_tensors_map)
        self.ckpt_to_strip = ckpt_to_strip
        self.output_nodes = output_nodes
        self.export_ckpt_path = export_ckpt_path
        self.export_pb_path = export_pb_path
        self.channel_multiple = plan_lib.check_multiple(channel_multiple)
        self.mode = mode
        self.failed_rate = 1.0
        self.strip_report: Optional[stripping.Result] = None
        self._outputs = loading.split_outputs(output_nodes)
        self._given_filters = dict(pruning_filters_dict)
        self._given_exports = (export_ckpt_path, export_pb_path)
        self._threshold: Optional[float] = None
        self._source: Optional[loading.Source] = None
        self._selection: views.Selection = {}
        self._plan: Optional[plan_lib.Plan] = None
        self._norms_before: Mapping[str, np.ndarray] = {}
        self._rebuilt: Optional[loading.Source] = None
        self._strip_plan: Optional[plan_lib.Plan] = None
        self.output_dir = output_dir or os.path.dirname(self.input_ckpt_path) or '.'

    # -- views ---------------------------------------------------------------------

    @property
    def scope_conv_dict(self) -> Dict[str, List[str]]:
        """Scope -> names of its convolution and dense nodes."""
        return views.scope_conv(self._selection)

    @property
    def conv_vars_dict(self) -> Dict[str, str]:
        """Node name -> name of its weight variable."""
        source = self._source
        return views.conv_vars(self._selection, source.trace) if source else {}

    @property
    def bias_vars_dict(self) -> Dict[str, List[str]]:
        """Node name -> names of the bias or batch-norm variables behind it."""
        source = self._source
        return views.bias_vars(self._selection, source.trace) if source else {}

    @property
    def pruning_filters_dict(self) -> Dict[str, Sequence[int]]:
        """Scope or group -> filters that are pruned."""
        if self._plan is None:
            return dict(self._given_filters)
        return dict(views.pruning_filters(self._plan, self._selection))

    @property
    def strip_nodes_dict(self) -> Dict[str, List[str]]:
        """Scope or group -> nodes whose kernels shrink."""
        plan = self._strip_plan
        return views.strip_nodes(plan, self._selection) if plan else {}

    @property
    def strip_vars_dict(self) -> Dict[str, Dict[str, List[int]]]:
        """Variable -> axis -> indices that are removed."""
        return views.strip_vars(self._strip_plan) if self._strip_plan else {}

    @property
    def plan(self) -> Optional[plan_lib.Plan]:
        """The plan of the current step, or None before `get_pruning_filters`."""
        return self._plan

    # -- state ---------------------------------------------------------------------

    def _read_params(self) -> loading.Source:
        """Reads the graph and selects the groups; writes nothing."""
        source = loading.load_for_planning(
            self.input_ckpt_path,
            self._outputs,
            self.rebuild_meta_graph,
            self.input_tensors_map,
        )
        self._selection = select.inner_groups(source.groups, self.scope_names)
        self._source = source
        return source

    def _write_params(self) -> None:
        outputs.write_params(
            self.output_dir,
            self.scope_conv_dict,
            self.conv_vars_dict,
            self.bias_vars_dict,
        )

    def _choose_filters(self) -> plan_lib.Plan:
        """Plans by the threshold, or else by the given filters."""
        source = self._current_source()
        groups = views.by_key(self._selection)
        if self._threshold is None:
            self._plan = planning.plan_by_filters(
                source, groups, self._given_filters, self.channel_multiple, self.mode
            )
        else:
            self._plan = planning.plan_by_threshold(
                source,
                groups.values(),
                self._threshold,
                self.channel_multiple,
                self.mode,
            )
        return self._plan

    def _current_source(self) -> loading.Source:
        source = self._source
        if source is None or source.checkpoint.prefix != self.input_ckpt_path:
            raise WorkflowError(
                f'The graph of {self.input_ckpt_path!r} has not been read: call '
                'get_pruning_params() first.'
            )
        return source

    def _check_criterion(self, step: str) -> None:
        if self._threshold is None and not self._given_filters:
            raise WorkflowError(
                f'{step}() needs a threshold: call set_threshold() first.'
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

    def _needed_rebuilt(self, step: str) -> loading.Source:
        if self._rebuilt is None and self.ckpt_to_strip:
            self._rebuilt = loading.load_source(self.ckpt_to_strip, self._outputs)
        if self._rebuilt is None:
            raise WorkflowError(
                f'{step}() needs the inference graph: call get_rebuild_graph() first.'
            )
        return self._rebuilt

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
        target = self._given_exports[0]
        taken = {os.path.realpath(path) for path in sources if path}
        if target and os.path.realpath(target) in taken:
            raise OutputError(
                f'export_ckpt_path {target!r} is a checkpoint that the stripped one is '
                'made from. Choose another path.'
            )

    def _load_filters(self, path: str) -> None:
        loaded = planning.load_filters(path)
        if not isinstance(loaded, plan_lib.Plan):
            loaded = planning.plan_by_filters(
                self._current_source(),
                views.by_key(self._selection),
                loaded,
                self.channel_multiple,
                self.mode,
            )
        stripping.check_plan(self._current_source(), loaded)
        self._plan = loaded


def _check_empty(derived: Mapping[str, Mapping[str, Any]]) -> None:
    for name, value in derived.items():
        if value:
            raise OptionError(
                f'{name} is computed from the graph and the plan: leave it out.'
            )


def _existing(input_ckpt_path: Optional[str]) -> str:
    if not input_ckpt_path:
        raise OptionError(
            f'input_ckpt_path is {input_ckpt_path!r}; expected the prefix of a '
            'checkpoint, such as model.ckpt-1000.'
        )
    return checkpoint_lib.Checkpoint(input_ckpt_path).prefix


def _scopes(scope_names: Sequence[str]) -> List[str]:
    if isinstance(scope_names, str) or not all(isinstance(s, str) for s in scope_names):
        raise OptionError(
            f'scope_names is {scope_names!r}; expected a list of strings.'
        )
    return list(scope_names)
