"""Lets several devices of one machine train copies of a network in step.

Devices are written as `cpu:0` and `gpu:1`. A TensorFlow session has as many CPU devices
as it is asked for, so several of them stand for GPUs where there are none.
"""

from __future__ import annotations

import re
from typing import Iterator, Sequence

import tensorflow.compat.v1 as tf

_DEVICE = re.compile(r'(cpu|gpu):(\d+)')


def problems(devices: Sequence[str]) -> Iterator[str]:
    """What is wrong with devices; nothing if there are none."""
    known = len(tf.config.experimental.list_physical_devices('GPU'))
    for device in devices:
        match = _DEVICE.fullmatch(device)
        if match is None:
            yield f'{device!r} is no device such as gpu:0'
        elif match.group(1) == 'gpu' and int(match.group(2)) >= known:
            yield f'{device!r} is none of the {known} GPUs of this machine'
    if len(set(devices)) < len(devices):
        yield 'a device is there twice'
    if len(devices) == 1:
        yield 'one device has no copies; give two or more, or none'


def mirrored(devices: Sequence[str]) -> tf.distribute.MirroredStrategy:
    """A strategy that keeps a copy of the network on each device."""
    return tf.distribute.MirroredStrategy([f'/{device}' for device in devices])


def session_config(devices: Sequence[str]) -> tf.ConfigProto:
    """For sessions in which the devices exist."""
    # CPUs below the highest number exist, too.
    cpus = [int(device[4:]) + 1 for device in devices if device.startswith('cpu')]
    return tf.ConfigProto(
        device_count={'CPU': max(cpus, default=1)}, allow_soft_placement=True
    )
