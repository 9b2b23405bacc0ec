"""Readers of labelled images: a folder per class, TFRecords, CUB-200, ImageNet."""

from tf1pruning.data.dataset import Dataset, Split
from tf1pruning.data.folders import cub200, folder
from tf1pruning.data.records import imagenet, tfrecords

__all__ = ['Dataset', 'Split', 'cub200', 'folder', 'imagenet', 'tfrecords']
