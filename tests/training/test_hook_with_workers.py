"""The hook in asynchronous workers whose variables lie on two ps tasks."""

from __future__ import annotations

import concurrent.futures
import threading

import tensorflow.compat.v1 as tf

from tests.cluster_runs import free_addresses
from tests.training import hooked
from tf1pruning.training.pruning_hook import HOLD, PruningHook

STEPS = 40


def servers():
    """Of a chief, a worker and two ps tasks; they end with this process."""
    addresses = free_addresses(4)
    jobs = {'chief': addresses[:1], 'worker': addresses[1:2], 'ps': addresses[2:]}
    return [
        tf.train.Server(jobs, job_name=job, task_index=index)
        for job, found in jobs.items()
        for index in range(len(found))
    ]


def build(job):
    with tf.device(tf.train.replica_device_setter(2, worker_device=f'/job:{job}')):
        return hooked.build(partitioner=tf.fixed_size_partitioner(2))[0]


def train(server, job, ready, together):
    """Takes steps until both together have taken enough; returns how many it took."""
    hooks = [
        PruningHook(hooked.plan(), HOLD),
        tf.train.StopAtStepHook(last_step=STEPS),
    ]
    with tf.Graph().as_default():
        train_op, taken = build(job), 0
        is_chief = job == 'chief'
        if not is_chief:
            ready.wait(60)
        with tf.train.MonitoredTrainingSession(
            server.target, is_chief=is_chief, hooks=hooks, log_step_count_steps=None
        ) as session:
            ready.set()
            together.wait(60)
            while not session.should_stop():
                session.run(train_op)
                taken += 1
    return taken


def test_the_cuts_are_zero_when_all_workers_have_taken_their_steps():
    chief, worker, *stores = servers()
    ready, together = threading.Event(), threading.Barrier(2)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        trainings = [
            pool.submit(train, chief, 'chief', ready, together),
            pool.submit(train, worker, 'worker', ready, together),
        ]
        taken = [training.result() for training in trainings]
    with tf.Graph().as_default(), tf.Session(chief.target) as session:
        build('chief')
        found = hooked.values(session)

    assert min(taken) > 0
    assert found['global_step'] >= STEPS
    assert len(stores) == 2
    assert hooked.is_zero(found)
    assert hooked.cut_and_kept('a/kernel', found['a/kernel'])[1].all()
    assert not hooked.cut_and_kept('a/kernel', found['a/kernel/Momentum'])[0].any()
