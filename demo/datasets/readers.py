"""The library's readers of image folders and TFRecords, as data sets by name."""

from __future__ import annotations

from demo.datasets import registry
from tf1pruning.data import folders, records

registry.register('folder')(folders.folder)
registry.register('cub200')(folders.cub200)
registry.register('imagenet')(records.imagenet)
registry.register('tfrecords')(records.tfrecords)
