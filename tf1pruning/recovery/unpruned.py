"""What a repair knows of the unpruned network, and the samples that it sees."""

from __future__ import annotations

import dataclasses
from typing import Mapping, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.channels.trace_result import Trace
from tf1pruning.recovery.carriers import Carriers
from tf1pruning.scoring.batches import Batches


@dataclasses.dataclass(frozen=True, eq=False)
class Unpruned:
    """A network before anything is cut.

    Attributes:
      trace: of it.
      frozen: the network; its weights are constants of their own names.
      arrays: weight node -> array; also of kernels that are computed of variables which
        can carry other values.
      carriers: of computed kernels.
    """

    trace: Trace
    frozen: tf.GraphDef
    arrays: Mapping[str, np.ndarray]
    carriers: Mapping[str, Carriers]


class Seen(NamedTuple):
    """Samples that take part in a repair.

    Attributes:
      fit: to fit.
      choose: that decide how strongly a layer is fitted, and whether.
    """

    fit: Batches
    choose: Batches
