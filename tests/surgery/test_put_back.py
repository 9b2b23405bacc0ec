from __future__ import annotations

import numpy as np

from tests import networks
from tf1pruning import plan as plan_lib
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib
from tf1pruning.surgery import put_back

KERNEL = 'net/Conv/conv/kernel'
NEXT = 'net/expanded_conv_1/expand/conv/kernel'


def test_small_weights_lie_where_the_channels_stay():
    trace = trace_lib.trace(networks.model_of(networks.inverted_residual_net()))
    groups = groups_lib.find_groups(trace)
    (stem,) = (group for group in groups if group.name == 'net/Conv/conv')
    plan = plan_lib.Plan(
        plan_lib.fingerprint([stem], trace.model),
        plan_lib.BLOCK,
        1,
        None,
        (plan_lib.plan_group(stem, [1, 6], 2),),
    )
    whole = {KERNEL: np.zeros([3, 3, 3, 8]), NEXT: np.zeros([1, 1, 8, 24])}
    small = {KERNEL: np.ones([3, 3, 3, 6]), NEXT: np.ones([1, 1, 6, 24])}

    found = put_back.put_back(trace, groups, plan, {**small, 'step': 3}, whole)

    stays = [0, 2, 3, 4, 5, 7]
    for name, axis in ((KERNEL, 3), (NEXT, 2)):
        assert found[name].shape == whole[name].shape
        assert np.take(found[name], stays, axis).all()
        assert not np.take(found[name], [1, 6], axis).any()
        assert not whole[name].any()
    assert found['step'] == 3
