"""Selects the groups of a model that lie in the user's scopes."""

from __future__ import annotations

import dataclasses
from typing import Dict, FrozenSet, Mapping, Sequence, Tuple

from absl import logging

from tf1pruning import plan as plan_lib
from tf1pruning.channels import select
from tf1pruning.channels.groups import Group
from tf1pruning.models.model import Model
from tf1pruning.plan import Plan


@dataclasses.dataclass(frozen=True, eq=False)
class Selection:
    """A model and its chosen groups.

    Attributes:
      model: the model.
      by_scope: scope -> groups.
    """

    model: Model
    by_scope: Mapping[str, Tuple[Group, ...]]

    @property
    def groups(self) -> Dict[str, Group]:
        """Scope, or group name where a scope holds several groups -> group."""
        keyed = {}
        for scope, groups in self.by_scope.items():
            for group in groups:
                keyed[scope if len(groups) == 1 else group.name] = group
        return keyed

    @property
    def layers(self) -> FrozenSet[str]:
        """Nodes of the layers that make or read the chosen channels."""
        return frozenset(n for group in self.groups.values() for n in group.kernels)

    def check_plan(self, plan: Plan) -> None:
        """Raises PlanError unless a plan was made for a model like this one."""
        plan_lib.check_fits(plan, self.model.groups, self.model.graph)


def check_prunable(model: Model) -> None:
    """Raises GraphError if no channel of a model may be cut; says why."""
    select.groups_in_scopes(model.groups, [''], select.ALL, model.trace.lost)


def select_groups(
    model: Model, scope_names: Sequence[str] = ('',), which: str = select.AUTO
) -> Selection:
    """Chooses the groups of a model that may be cut.

    Args:
      model: the model.
      scope_names: scopes whose groups are meant; `['']`: the whole model.
      which: 'inner': the inner channels of inverted-residual and squeeze-and-excite
        blocks. 'all': every group. 'auto': 'inner', or 'all' in a model without such
        blocks, which the log says.

    Raises:
      GraphError: if a scope holds no group that may be cut.
      OptionError: if `which` is none of these.
    """
    meant = select.resolved(which, model.groups)
    if meant != which and meant == select.ALL:
        logging.info('The model has no inner blocks: all its groups are meant.')
    found = select.groups_in_scopes(model.groups, scope_names, meant, model.trace.lost)
    return Selection(model, found)
