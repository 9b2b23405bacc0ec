"""Reads TF_CONFIG, starts the server of a task, and asks which tasks answer.

    {"cluster": {"chief": ["host:port"], "worker": [...], "ps": [...]},
     "task": {"type": "worker", "index": 0}}

The chief trains, saves, evaluates and prunes; workers only train; each ps holds a part
of the variables. Without ps tasks the chief and its workers train in step: each has all
variables (`MultiWorkerMirroredStrategy`).
"""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import time
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from tf1pruning import typed
from tf1pruning.errors import OptionError, WorkflowError

CHIEF, WORKER, PS = 'chief', 'worker', 'ps'
JOBS = (CHIEF, WORKER, PS)
EXAMPLE = (
    '{"cluster": {"chief": ["host:port"], "worker": ["host:port"], '
    '"ps": ["host:port"]}, "task": {"type": "chief", "index": 0}}'
)
# A host, or an IPv6 address in brackets, and a port.
_ADDRESS = re.compile(r'(?:[^\s/:\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]+)')
# Seconds between two looks at something that is waited for.
POLL_SECONDS = 0.1
# How long a server that runs may take to greet.
_GREETING_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Task:
    """One process of a cluster.

    Attributes:
      type: one of `JOBS`.
      index: its number among the tasks of that type.
      cluster: type -> addresses, `host:port`.
    """

    type: str
    index: int
    cluster: Mapping[str, Tuple[str, ...]]

    @property
    def name(self) -> str:
        """For people and files: `worker-0`."""
        return f'{self.type}-{self.index}'

    @property
    def number(self) -> int:
        """Its number among the tasks that train, the chief's being 0."""
        return self.index + (self.type == WORKER)

    @property
    def in_step(self) -> bool:
        """Whether all tasks that train take each step together."""
        return PS not in self.cluster

    @property
    def address(self) -> str:
        """Its own address."""
        return self.cluster[self.type][self.index]

    def addresses(self, jobs: Sequence[str] = JOBS) -> Dict[str, str]:
        """Name -> address of the other tasks of some types."""
        found = {
            f'{job}-{index}': address
            for job in jobs
            for index, address in enumerate(self.cluster.get(job, ()))
        }
        return {name: found[name] for name in found if name != self.name}

    def tf_config(self) -> str:
        """TF_CONFIG for an Estimator in a process whose server runs already.

        TensorFlow cannot stop a server, and `train_and_evaluate` would start one more
        for every training; in the environment `google` it leaves that to its caller.
        """
        task = {'type': self.type, 'index': self.index}
        cluster = {job: list(found) for job, found in self.cluster.items()}
        return json.dumps({'cluster': cluster, 'task': task, 'environment': 'google'})

    def serve(self) -> tf.train.Server:
        """Starts the TensorFlow server of the task; it runs until the process ends.

        Raises:
          WorkflowError: if its address is taken, or not of this machine.
        """
        # A server that cannot bind writes many lines of its own, so look first.
        taken = answers(self.address, _GREETING_SECONDS)
        try:
            if not taken:
                return tf.train.Server(
                    {job: list(found) for job, found in self.cluster.items()},
                    job_name=self.type,
                    task_index=self.index,
                    config=_server_config(self),
                )
        except tf.errors.OpError as error:
            raise WorkflowError(
                f'{self.name} cannot serve at {self.address} ({error.message}). Is the '
                'port free, and the address one of this machine?'
            ) from error
        raise WorkflowError(
            f'{self.name} cannot serve at {self.address}: a process answers there '
            'already. End it, or give another port in TF_CONFIG.'
        )


@typed.checked
def read_task(tf_config: str) -> Optional[Task]:
    """The task that TF_CONFIG gives to this process; None without a cluster.

    Args:
      tf_config: value of the variable; '' if it is not set.

    Raises:
      OptionError: names everything in it that is wrong.
    """
    config = _parsed(tf_config)
    if not config.get('cluster'):
        return None
    cluster, task = config['cluster'], config.get('task', {})
    problems = list(_cluster_problems(cluster)) or list(_task_problems(task, cluster))
    if problems:
        raise OptionError(
            f'TF_CONFIG is wrong: {"; ".join(problems)}. Expected the form {EXAMPLE}.'
        )
    return Task(
        type=task['type'],
        index=task['index'],
        cluster={job: tuple(found) for job, found in cluster.items() if found},
    )


def _parsed(text: str) -> Dict[str, Any]:
    try:
        config = json.loads(text or '{}')
    except (ValueError, RecursionError) as error:
        raise OptionError(
            f'TF_CONFIG is no JSON ({error}): {text!r}. Expected the form {EXAMPLE}.'
        ) from None
    if not isinstance(config, dict):
        raise OptionError(
            f'TF_CONFIG is {text!r}; expected an object of the form {EXAMPLE}.'
        )
    return config


def _cluster_problems(cluster: Any) -> Iterator[str]:
    if not isinstance(cluster, dict):
        yield f'"cluster" is {cluster!r}'
        return
    for job in sorted(set(cluster) - set(JOBS)):
        yield f'"cluster" has {job!r}; the types are {", ".join(JOBS)}'
    if not cluster.get(CHIEF):
        yield '"cluster" has no "chief", the task that saves and prunes'
    if not cluster.get(PS) and not cluster.get(WORKER):
        yield (
            '"cluster" has no "ps", the tasks that hold the variables, and no "worker" '
            'with which the chief could train in step'
        )
    addresses: List[str] = []
    for job, found in sorted(cluster.items()):
        good = isinstance(found, list) and all(_is_address(item) for item in found)
        if not good:
            yield f'"{job}" is {found!r}, not a list of "host:port"'
            continue
        if job == CHIEF and len(found) > 1:
            yield f'"chief" has {len(found)} tasks; there is one chief'
        addresses += found
    twice = sorted({item for item in addresses if addresses.count(item) > 1})
    if twice:
        yield f'two tasks share {", ".join(twice)}'


def _is_address(value: Any) -> bool:
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    return match is not None and 0 < int(match.group(1)) < 65536


def _task_problems(task: Any, cluster: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if not isinstance(task, dict):
        yield f'"task" is {task!r}'
        return
    job, index = task.get('type', ''), task.get('index')
    known = sorted(name for name in cluster if cluster[name])
    if job not in known:
        yield f'the type of "task" is {job!r}; the cluster has {", ".join(known)}'
    elif type(index) is not int or not 0 <= index < len(cluster[job]):
        last = len(cluster[job]) - 1
        yield f'the index of "task" is {index!r}; {job!r} has the tasks 0 to {last}'


def _server_config(task: Task) -> tf.ConfigProto:
    config = tf.ConfigProto()
    if task.in_step:
        # Who numbers the members of a collective op.
        leader = f'/job:{CHIEF}/replica:0/task:0'
        config.experimental.collective_group_leader = leader
    return config


def forget_variables(server: tf.train.Server, task: Task, seconds: float) -> None:
    """Drops all variables of the ps tasks and closes the sessions of this server.

    Args:
      server: of the task.
      task: this process.
      seconds: longest time to wait for the ps tasks.

    Raises:
      WorkflowError: names the ps tasks that do not answer in time.
    """
    # TensorFlow would wait for them without end.
    wait_for(task, (PS,), seconds)
    config = tf.ConfigProto(device_filters=[f'/job:{PS}'])
    tf.Session.reset(server.target, config=config)


def answers(address: str, seconds: float) -> bool:
    """Whether a server at an address greets; one that hangs only takes the call.

    Args:
      address: `host:port`.
      seconds: longest time to wait for it.
    """
    try:
        with _connected(address, seconds) as connection:
            # Servers of HTTP/2, which gRPC speaks, send their settings at once.
            return bool(connection.recv(1))
    except OSError:
        return False


def is_there(address: str) -> bool:
    """Whether a process holds an address, even if it hangs."""
    try:
        _connected(address, _GREETING_SECONDS).close()
    except socket.timeout:
        return True
    except OSError:
        return False
    return True


def _connected(address: str, seconds: float) -> socket.socket:
    host, _, port = address.rpartition(':')
    return socket.create_connection((host.strip('[]'), int(port)), timeout=seconds)


def silent(addresses: Mapping[str, str]) -> List[str]:
    """`name at address` of the tasks that do not answer."""
    return [
        f'{name} at {address}'
        for name, address in addresses.items()
        if not answers(address, _GREETING_SECONDS)
    ]


def wait_for(task: Task, jobs: Sequence[str], seconds: float) -> None:
    """Waits until all tasks of some types answer.

    Raises:
      WorkflowError: names those that do not, when the time is over.
    """
    deadline = time.monotonic() + seconds
    waited_for = silent(task.addresses(jobs))
    while waited_for:
        if time.monotonic() > deadline:
            raise WorkflowError(
                f'{task.name} at {task.address} waited {seconds:g} s and got no answer '
                f'from {", ".join(waited_for)}. Start what is missing; the run then '
                'goes on from its last checkpoint.'
            )
        time.sleep(POLL_SECONDS)
        waited_for = silent(task.addresses(jobs))
