"""Small files in the formats that the loaders read, and what the loaders read."""

from __future__ import annotations

import gzip
import pathlib
import struct

import numpy as np
import tensorflow.compat.v1 as tf


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f'>{array.ndim}I', *array.shape)
    opened = gzip.open if str(path).endswith('.gz') else open
    with opened(path, 'wb') as file:
        file.write(head + array.tobytes())


def write_mnist(folder, ending=''):
    """Three training images 4x4 with labels 3, 1, 2 and two test images."""
    images = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    labels = np.array([3, 1, 2], np.uint8)
    for prefix, count in (('train', 3), ('t10k', 2)):
        write_idx(folder / f'{prefix}-images-idx3-ubyte{ending}', images[:count])
        write_idx(folder / f'{prefix}-labels-idx1-ubyte{ending}', labels[:count])
    return images, labels


def encoded(image, kind='png'):
    with tf.Graph().as_default(), tf.Session() as session:
        encode = tf.image.encode_png if kind == 'png' else tf.image.encode_jpeg
        return session.run(encode(tf.constant(image)))


def example(image, label, **left_out):
    feature = {
        'image/encoded': tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[encoded(image)])
        ),
        'image/class/label': tf.train.Feature(
            int64_list=tf.train.Int64List(value=[label])
        ),
    }
    for key in left_out.get('without', ()):
        del feature[key]
    return tf.train.Example(features=tf.train.Features(feature=feature))


def write_records(path, examples):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in examples:
            writer.write(each.SerializeToString())


def write_image(path, value, size=(8, 10)):
    """A PNG or JPEG file of one grey."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = 'png' if path.suffix == '.png' else 'jpeg'
    path.write_bytes(encoded(np.full((*size, 3), value, np.uint8), kind))


def batches_of(input_fn, count=1):
    """The first batches of an input function, as arrays."""
    with tf.Graph().as_default(), tf.Session() as session:
        batch = tf.data.make_one_shot_iterator(input_fn()).get_next()
        return [session.run(batch) for _ in range(count)]


def read(split):
    """All images and labels of a split, as lists."""
    with tf.Graph().as_default(), tf.Session() as session:
        batch = tf.data.make_one_shot_iterator(split.read()).get_next()
        found = [session.run(batch) for _ in range(split.count)]
        try:
            session.run(batch)
        except tf.errors.OutOfRangeError:
            images, labels = zip(*found)
            return list(images), list(labels)
    raise AssertionError('there are more images than the split counts')
