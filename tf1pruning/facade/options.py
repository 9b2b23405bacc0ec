"""Holds the options of a `Pruning` object as one checked value."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

from tf1pruning import plan as plan_lib
from tf1pruning import typed
from tf1pruning.channels import select
from tf1pruning.errors import OptionError
from tf1pruning.models import reading
from tf1pruning.models.reading import LoadOptions
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.sampling.parts import Samples
from tf1pruning.steps.sampling import Data
from tf1pruning.surgery import mean_replacement

RepairData = Union[Samples, Data]


@typed.checked
@dataclasses.dataclass(frozen=True, eq=False)
class PruningOptions:
    """The keywords of `Pruning` that say how, which it documents.

    Raises:
      OptionError: on a value out of range.
      GraphError: on a malformed output name.
    """

    scope_names: Sequence[str]
    output_nodes: str
    channel_multiple: int
    mode: str
    groups: str
    rebuild_meta_graph: Optional[str]
    input_tensors_map: Mapping[str, Any]
    export_ckpt_path: str
    export_pb_path: str
    repair: Optional[RepairData]
    repair_options: RepairOptions

    def __post_init__(self) -> None:
        object.__setattr__(self, 'scope_names', list(self.scope_names))
        plan_lib.check_multiple(self.channel_multiple)
        plan_lib.check_mode(self.mode)
        if self.repair is not None:
            mean_replacement.check_mode(self.mode, 'Repair')
        select.check_which(self.groups)
        reading.split_outputs(self.output_nodes)

    @property
    def outputs(self) -> Tuple[str, ...]:
        """Names of the output nodes."""
        return reading.split_outputs(self.output_nodes)

    def load_options(self, traced_only: bool) -> LoadOptions:
        """How to read the graph of a trained checkpoint.

        Args:
          traced_only: whether it may be another graph than the inference graph.
        """
        separate = self.rebuild_meta_graph is not None
        return LoadOptions(
            meta_path=self.rebuild_meta_graph,
            # The map belongs to the separate graph, if it is there.
            input_map=self.input_tensors_map if separate or not traced_only else None,
            traced_only=traced_only and not separate,
        )


def check_computed(**given: Mapping[str, Any]) -> None:
    """Refuses keywords whose values are computed.

    Raises:
      OptionError: names all that are given.
    """
    wrong = [name for name, value in given.items() if value]
    if wrong:
        verb, them = ('is', 'it') if len(wrong) == 1 else ('are', 'them')
        raise OptionError(
            f'{" and ".join(wrong)} {verb} computed from the graph and the plan: leave '
            f'{them} out.'
        )
