"""The example loop of the original description, as a user's script.

The loop is the README's, word for word but for its indentation and the parts that it
leaves to the user (`...`, the pipeline, the thresholds). Everything before the loop is
what a user has already: data, a `model_fn`, a pretrained checkpoint.

    readme_loop.py FOLDER NAME_OF_THE_OUTPUT_NODE

Prints one line of JSON: threshold -> failure rates, and the last checkpoint.
"""
# The README's own style.
# ruff: noqa: B023, E501, UP032
# fmt: off

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning.training import EvalCheckpointSaverListener

WORK, OUTPUT_NODE = sys.argv[1:]
FLAGS = SimpleNamespace(
    pretrained_model_path=None,
    validationset_path=os.path.join(WORK, 'validation.tfrecord'),
    training_steps=3,
    batch_size=8,
    validation_batch_size=8,
)


def images_and_labels():
    generator = np.random.RandomState(0)
    labels = np.arange(16) % 2
    images = generator.rand(16, 8, 8, 3) + labels.reshape(-1, 1, 1, 1)
    return images.astype(np.float32), labels.astype(np.int32)


class Pipeline:
    def data_pipeline(self, datasets, params, batch_size):
        return tf.data.Dataset.from_tensor_slices(datasets).repeat().batch(batch_size)

    def eval_data_pipeline(self, path, params, batch_size):
        return tf.data.Dataset.from_tensor_slices(images_and_labels()).batch(batch_size)


def conv(net, filters, name, size=1, batch_norm=True, training=False):
    with tf.variable_scope(name):
        net = tf.layers.conv2d(net, filters, size, padding='same',
                               use_bias=not batch_norm)
        if batch_norm:
            net = tf.layers.batch_normalization(net, training=training)
        return net


def network(net, training):
    net = tf.nn.relu6(conv(net, 8, 'MobilenetV2/Conv', 3, training=training))
    with tf.variable_scope('MobilenetV2/expanded_conv_1'):
        inner = tf.nn.relu6(conv(net, 24, 'expand', training=training))
        with tf.variable_scope('depthwise'):
            kernel = tf.get_variable('weights', [3, 3, 24, 1])
            inner = tf.nn.depthwise_conv2d(inner, kernel, [1, 1, 1, 1], 'SAME')
            inner = tf.layers.batch_normalization(inner, training=training)
        net += conv(tf.nn.relu6(inner), 8, 'project', training=training)
    for name in ('SE1', 'SE2', 'SE3'):
        with tf.variable_scope(name):
            gate = tf.reduce_mean(net, [1, 2], keepdims=True)
            gate = tf.nn.relu(conv(gate, 8, 'Conv', batch_norm=False))
            net *= tf.sigmoid(conv(gate, 8, 'Conv_1', batch_norm=False))
    return tf.layers.dense(tf.reduce_mean(net, [1, 2]), 2, name='Logits')


def model_fn(features, labels, mode, params, config):
    tf.set_random_seed(1)
    logits = network(features, mode == tf.estimator.ModeKeys.TRAIN)
    logits = tf.identity(logits, name=OUTPUT_NODE)
    if params['pretrained_model_path'] and mode == tf.estimator.ModeKeys.TRAIN:
        weights = [v for v in tf.global_variables() if v.op.name != 'global_step']
        tf.train.init_from_checkpoint(
            params['pretrained_model_path'], {v.op.name: v for v in weights}
        )
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    if config.model_dir.endswith('TH0.5'):
        # Pulls all weights away from zero, so that this step has to be repeated.
        loss += tf.add_n([tf.nn.l2_loss(v - 1) for v in tf.trainable_variables()])
    optimizer = tf.train.MomentumOptimizer(0.01, 0.9)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train = optimizer.minimize(loss, tf.train.get_or_create_global_step())
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


def pretrain():
    model = tf.estimator.Estimator(model_fn, os.path.join(WORK, 'pretrained'),
                                   params={'pretrained_model_path': None})
    model.train(lambda: Pipeline().data_pipeline(images_and_labels(), {}, 8), steps=3)
    return model.latest_checkpoint()


tf.logging.set_verbosity(tf.logging.ERROR)
with tf.io.TFRecordWriter(FLAGS.validationset_path) as writer:
    writer.write(b'one record')
FLAGS.pretrained_model_path = pretrain()
datasets = images_and_labels()
pipeline_param = {}
model_params = {}
failed_rates = {}

# -- from here on the README -------------------------------------------------------

# Make a scope_names list
pruning_scopes = ['SE1', 'SE2', 'SE3']
for i in range(1,2):
    name = 'MobilenetV2/expanded_conv_' + str(i) + '/'
    pruning_scopes.append(name)
    pass

output_dir = os.path.join(WORK, 'Pruning_Class_Test')
# Crate Pruning class
from tf1pruning import Pruning  # noqa: E402

tf_pruning = Pruning(
    input_ckpt_path=FLAGS.pretrained_model_path,
    scope_names=pruning_scopes,
    output_dir=output_dir
    )

# In training function
# create your own threshold list for soft-pruning
# and use for loop to retrain soft-pruning until convergence
th_steps = [0.7, 0.5]
for th in th_steps:
    try_count = 0
    failed_rate = 1.0
    # Set the soft-pruning threshold.
    tf_pruning.set_threshold(th)
    # Through failed_rate and try_count to determine if the checkpoint needs to retrain again.
    while failed_rate>0.1:
        if try_count == 0:
            pruning_output_dir = os.path.join(output_dir, 'TH'+str(th))
            tf_pruning.set_output_dir(pruning_output_dir)
            ckpt_to_retrain = tf_pruning.pruning_process(retrain=False)
        else:
            pruning_output_dir = os.path.join(output_dir, 'TH'+str(th)+'_Repruned'+str(try_count))
            tf_pruning.set_output_dir(pruning_output_dir)
            ckpt_to_retrain = tf_pruning.pruning_process(retrain=True)
        try_count = try_count + 1

        # We use model_params to specify the checkpoint that need to be retrained.
        model_params['pretrained_model_path'] = ckpt_to_retrain
        # Training with ckpt_to_retrain
        task_graph = tf.Graph()
        with task_graph.as_default():
            global_step = tf.Variable(0, name='global_step', trainable=False)

            session_config = tf.ConfigProto()
            session_config.gpu_options.allow_growth = True
            ##########################
            # Your own training script
            config = ( tf.estimator.RunConfig().replace(session_config=session_config) )

            model = tf.estimator.Estimator(model_fn=model_fn,
                                           model_dir=pruning_output_dir,
                                           config=config,
                                           params=model_params)

            print(
                ('\n validation data number: {} \n').format(
                    len(list(tf.python_io.tf_record_iterator(FLAGS.validationset_path)))
                )
            )

            pip = Pipeline()
            model.train(
                input_fn=lambda: pip.data_pipeline(
                    datasets,
                    params=pipeline_param,
                    batch_size=FLAGS.batch_size
                ),
                steps=FLAGS.training_steps,
                saving_listeners=[
                    EvalCheckpointSaverListener(
                        model,
                        lambda: pip.eval_data_pipeline(
                            FLAGS.validationset_path,
                            params=pipeline_param,
                            batch_size=FLAGS.validation_batch_size
                        )
                    )
                ]
            )
            print('Training Process Finished.')
            ##########################
        #==== Training End ====
        # get retrained ckpt
        retrained_ckpt_path = tf_pruning.get_retrained_ckpt(pruning_output_dir)
        # Analyze how many filters don't converge to zero.
        # If the failed rate is higher than you expect,
        # do soft-pruning on retrained_ckpt_path and retrain.
        failed_rate = tf_pruning.get_pruning_summary()
        failed_rates.setdefault(str(th), []).append(failed_rate)
        pass

# -- the end of the README ---------------------------------------------------------

if OUTPUT_NODE == 'output':
    tf_pruning.get_rebuild_graph()
    tf_pruning.get_strip_params()
    tf_pruning.get_strip_ckpt()
print(json.dumps({'rates': failed_rates, 'last': retrained_ckpt_path}))
