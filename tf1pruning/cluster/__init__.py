"""Lets many processes train one network, as TF_CONFIG describes them.

`read_task` says which process this is, and `Task.serve` starts its server. The chief
tells the others through a `Chief` which training they join, by a `Published`; they
learn it from a `Follower`. A `StepWatch` ends a training in which a peer does not
answer.
"""

from tf1pruning.cluster.publication import Chief, Follower, Published
from tf1pruning.cluster.step_watch import StepWatch
from tf1pruning.cluster.tasks import read_task

__all__ = ['Chief', 'Follower', 'Published', 'StepWatch', 'read_task']
