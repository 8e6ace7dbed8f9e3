"""Batch normalisation and ReLU by one kernel against Keras's two layers: the same numbers, forward and back."""

import shutil
import subprocess
import sys
import sysconfig
from functools import partial
from math import inf, nan

import keras
import numpy as np
import pytest
import tensorflow as tf

import bloodcell.batch_norm
from bloodcell import batch_norm_relu, faster
from bloodcell.batch_norm import fuse, own_kernel, with_relu
from bloodcell.batch_norm_relu import is_compiled
from bloodcell.config import ExperimentConfig
from bloodcell.errors import ConfigError
from bloodcell.model import build_model
from bloodcell.provenance import NOT_USED
from tests.test_batch_norm import assert_close

compiled = pytest.mark.skipif(not is_compiled(), reason="the kernel was not compiled, for want of a C++ compiler")

# Of a block alone, of several with a remainder, of rows that no vector fills, of one position.
SHAPES = [(2, 3, 3, 8), (32, 16, 16, 32), (3, 7, 7, 5), (8, 13, 11, 130), (1, 1, 1, 6)]


def kernel(x, scale, offset, max_value=6.0):
    return batch_norm_relu.batch_norm_relu(x, scale, offset, epsilon=1e-3, max_value=max_value)


def values(shape: tuple[int, ...]) -> list[tf.Tensor]:
    """Images far from zero, scale of both signs, offset, and a gradient of the outputs."""
    rng = np.random.default_rng(0)
    images = rng.normal(50.0 * rng.normal(size=shape[-1]), 2.0, shape)
    return [
        tf.constant(value, tf.float32)
        for value in (images, rng.normal(0, 3, shape[-1]), rng.normal(1, 2, shape[-1]), rng.normal(size=shape))
    ]


def exact(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, dy: tf.Tensor, max_value: float) -> list[np.ndarray]:
    """Outputs, mean, variance and the gradients of x, scale and offset, in float64 by TensorFlow's own operations."""
    x, scale, offset, dy = (tf.cast(value, tf.float64) for value in (x, scale, offset, dy))
    with tf.GradientTape() as tape:
        tape.watch([x, scale, offset])
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        outputs = tf.minimum(tf.nn.relu((x - mean) / tf.sqrt(variance + 1e-3) * scale + offset), max_value)
    return [each.numpy() for each in (outputs, mean, variance, *tape.gradient(outputs, [x, scale, offset], dy))]


@compiled
@pytest.mark.parametrize("max_value", [6.0, inf])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_statistics_and_gradients_are_exact_within_float32(shape, max_value):
    *inputs, upstream = values(shape)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = kernel(*inputs, max_value)
    gradients = tape.gradient(found.outputs, inputs, upstream)
    wanted = exact(*inputs, upstream, max_value)
    for one, other in zip((*found, *gradients), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4 * max(np.abs(other).max(), 1.0))
    if shape[0] > 1:
        assert 0.1 < (wanted[0] > 0).mean() < 0.9
        assert (wanted[0] == 6).any() == (max_value == 6)


@compiled
@pytest.mark.parametrize(("first", "others"), [(100.0, 0.0), (0.0, 1000.0), (-5000.0, 3.0)])
def test_a_first_position_unlike_the_others_spoils_no_variance(first, others):
    images = np.random.default_rng(0).normal(others, 0.5, (8, 28, 28, 8)).astype(np.float32)
    images[0, 0, 0] = first
    found = kernel(images, np.ones(8, np.float32), np.zeros(8, np.float32))
    wanted = images.astype(np.float64).reshape(-1, 8)
    np.testing.assert_allclose(found.mean, wanted.mean(0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.variance, wanted.var(0), rtol=1e-4)


@compiled
def test_blocks_of_unlike_means_have_the_variance_of_all():
    images = np.random.default_rng(0).normal(0.0, 0.5, (8, 28, 28, 8)).astype(np.float32)
    images[4:] += 10.0
    found = kernel(images, np.ones(8, np.float32), np.zeros(8, np.float32))
    wanted = images.astype(np.float64).reshape(-1, 8)
    np.testing.assert_allclose(found.mean, wanted.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.variance, wanted.var(0), rtol=1e-6)


@compiled
def test_a_gradient_that_is_read_besides_is_not_written_over():
    images, scale, offset, upstream = values((8, 13, 11, 130))

    @tf.function
    def both(factor: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = kernel(images, scale, offset).outputs
        of_outputs = upstream * factor  # made in the graph, so that the kernel could take its place
        return of_outputs, tape.gradient(outputs, images, of_outputs)

    of_outputs, _ = both(tf.constant(2.0))
    np.testing.assert_array_equal(of_outputs, 2 * upstream)


@compiled
def test_what_is_not_a_number_stays_so():
    images, scale, offset, _ = values((2, 3, 3, 8))
    images = images.numpy()
    images[0, 0, 0, 3] = nan
    outputs = kernel(images, scale, offset).outputs.numpy()
    assert np.isnan(outputs[..., 3]).all()
    assert np.isfinite(np.delete(outputs, 3, axis=-1)).all()


@compiled
@pytest.mark.parametrize(
    ("shape", "scale", "message"),
    [
        ((0, 3, 3, 8), [8], "must have positions"),
        ((2, 3, 3, 8), [7], r"input 1 has .*\[7\]"),
        ((2, 3, 3, 8), [2, 4], r"input 1 has .*\[2,4\]"),
    ],
)
def test_shapes_that_do_not_fit(shape, scale, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        kernel(tf.zeros(shape), tf.ones(scale), tf.ones(8))


_WITH_THREADS = """
import sys, tensorflow as tf, numpy as np, zlib
from tests.test_batch_norm_relu import kernel, values
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
*inputs, upstream = values((32, 32, 32, 64))
with tf.GradientTape() as tape:
    tape.watch(inputs)
    found = kernel(*inputs)
gradients = tape.gradient(found.outputs, inputs, upstream)
print([zlib.crc32(value.numpy().tobytes()) for value in (*found, *gradients)])
"""


@compiled
def test_the_number_of_threads_changes_no_bit():
    said = {
        subprocess.run([sys.executable, "-c", _WITH_THREADS, threads], check=True, capture_output=True).stdout
        for threads in ("1", "2", "3")
    }
    assert len(said) == 1


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler here")
def test_it_is_compiled_where_there_is_a_compiler():
    assert is_compiled(), (
        f"{batch_norm_relu.library()} is missing: run `pip install --no-deps --no-build-isolation -e .`"
    )


def test_what_was_made_of_other_things_is_not_taken_for_this_one(tmp_path, monkeypatch):
    names = {batch_norm_relu.library().name}
    monkeypatch.setattr(batch_norm_relu, "SOURCE", tmp_path / "batch_norm_relu.cc")
    batch_norm_relu.SOURCE.write_text("// changed")
    names.add(batch_norm_relu.library().name)
    monkeypatch.setattr(tf, "__version__", "2.99.0")
    names.add(batch_norm_relu.library().name)
    monkeypatch.setattr(batch_norm_relu, "FLAGS", ("-Ofast",))
    names.add(batch_norm_relu.library().name)
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "linux-aarch64")
    names.add(batch_norm_relu.library().name)
    assert len(names) == 5


@pytest.fixture
def broken_library(tmp_path, monkeypatch):
    """A compiled kernel that cannot be loaded."""
    broken = tmp_path / "batch_norm_relu-0.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(batch_norm_relu, "library", lambda: broken)
    monkeypatch.setattr(bloodcell.batch_norm, "is_compiled", lambda: True)
    monkeypatch.setattr(bloodcell.batch_norm, "load", batch_norm_relu.load.__wrapped__)  # it may be loaded already


MOBILENET = ExperimentConfig(backbone="MobileNet", weights="none", width=0.25, image_size=32)


def test_one_that_cannot_be_loaded_is_said_by_name(broken_library):
    with pytest.raises(ConfigError, match=r"batch_norm_relu-0\.so cannot be loaded") as raised:
        build_model(MOBILENET, classes=4)
    assert "delete that file" in raised.value.remedy


@pytest.mark.parametrize(
    "change", [{"backbone": "VGG16", "width": 1.0}, {"trainable": "head"}, {"precision": "mixed_bfloat16"}]
)
def test_one_that_cannot_be_loaded_is_no_harm_to_a_model_that_has_no_use_for_it(broken_library, change):
    model = build_model(ExperimentConfig.model_validate(MOBILENET.model_dump() | change), classes=4)
    assert own_kernel(model, "CPU") == NOT_USED


def test_on_a_gpu_a_model_learns_by_the_layers_that_score(broken_library, monkeypatch):
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [gpu])
    model = build_model(MOBILENET, classes=4)
    assert model.train_step.__func__ is keras.Model.train_step
    assert own_kernel(model, "Tesla T4") == NOT_USED


@pytest.mark.parametrize(("is_there", "said"), [(True, "compiled"), (False, "not compiled")])
def test_a_result_tells_whether_it_was_there(monkeypatch, is_there, said):
    model = build_model(MOBILENET, classes=4)
    monkeypatch.setattr(bloodcell.batch_norm, "is_compiled", lambda: is_there)
    assert own_kernel(model, "CPU") == said


def network(activation: keras.Layer, **options) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(6, 3, use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-2, **options),
            activation,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4),
        ]
    )
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "kernel" not in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def learnt(model: keras.Model) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    images, labels = rng.normal(1.0, 2.0, (32, 8, 8, 3)).astype("float32"), np.arange(32) % 4
    losses = model.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    return [np.array(losses), *(variable.numpy() for variable in model.variables), model.predict(images, verbose=0)]


RELUS = [
    keras.layers.ReLU,
    partial(keras.layers.ReLU, 2.0),
    partial(keras.layers.Activation, "relu"),
    partial(keras.layers.Activation, "relu6"),
]


@compiled
@pytest.mark.parametrize("relu", RELUS, ids=["ReLU", "ReLU to 2", "relu", "relu6"])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_a_model_learns_what_keras_layers_learn(relu, options):
    plain, ours = network(relu(), **options), network(relu(), **options)
    fuse(ours)
    classes = with_relu(ours)
    assert [layer.name for layer in classes] == [layer.name for layer in ours.layers[1:3]]
    ours.train_step = faster.learning_step(ours, classes)
    assert_close(learnt(ours), learnt(plain), 1e-4)
    assert type(ours.layers[2]) is type(plain.layers[2])


@compiled
def test_a_layer_that_was_frozen_meanwhile_keeps_its_statistics():
    ours = network(keras.layers.ReLU(2.0))
    fuse(ours)
    classes = with_relu(ours)
    ours.layers[1].trainable = False
    before = [variable.numpy() for variable in ours.layers[1].variables]
    images = np.random.default_rng(2).normal(1.0, 2.0, (8, 8, 8, 3)).astype("float32")
    wanted = ours(images, training=True)
    with faster.exchanged(classes):
        found = ours(images, training=True)
    assert_close([found, *ours.layers[1].variables], [wanted, *before], 1e-6)


@pytest.fixture
def as_if_compiled(monkeypatch):
    """So that a machine without a compiler finds a wrong choice too."""
    monkeypatch.setattr(bloodcell.batch_norm, "is_compiled", lambda: True)
    monkeypatch.setattr(bloodcell.batch_norm, "load", lambda: None)


def frozen(model: keras.Model) -> None:
    model.layers[1].trainable = False


@pytest.mark.parametrize(
    ("activation", "change"),
    [
        (partial(keras.layers.ReLU, negative_slope=0.1), None),
        (partial(keras.layers.ReLU, threshold=0.5), None),
        (partial(keras.layers.ReLU, dtype="mixed_bfloat16"), None),
        (partial(keras.layers.Activation, "elu"), None),
        (partial(keras.layers.Dropout, 0.5), None),
        (keras.layers.ReLU, frozen),
    ],
    ids=["leaky", "threshold", "bfloat16", "elu", "dropout", "frozen"],
)
def test_what_the_kernel_does_not_compute_stays_two_layers(as_if_compiled, activation, change):
    model = network(activation())
    fuse(model)
    if change:
        change(model)
    assert with_relu(model) == {}


@pytest.mark.parametrize("what", ["the output", "another reader", "a layer called twice", "a ReLU called twice"])
def test_what_is_read_besides_stays_two_layers(as_if_compiled, what):
    image = keras.Input((8, 8, 3))
    layer, relu = keras.layers.BatchNormalization(), keras.layers.ReLU()
    normalized = layer(image)
    outputs = [relu(normalized)]
    if what == "the output":
        outputs.append(normalized)
    elif what == "another reader":
        outputs.append(keras.layers.Flatten()(normalized))
    elif what == "a layer called twice":
        outputs.append(layer(outputs[0]))
    else:
        outputs.append(relu(image))
    model = keras.Model(image, outputs)
    fuse(model)
    assert with_relu(model) == {}


@pytest.mark.parametrize("options", [{"dtype": "mixed_bfloat16"}, {"activity_regularizer": "l2"}])
def test_a_normalisation_that_the_kernel_does_not_compute_stays(as_if_compiled, options):
    model = network(keras.layers.ReLU(), **options)
    fuse(model)
    assert with_relu(model) == {}


def test_nothing_is_exchanged_where_it_is_not_compiled(monkeypatch):
    monkeypatch.setattr(bloodcell.batch_norm, "is_compiled", lambda: False)
    model = network(keras.layers.ReLU())
    fuse(model)
    assert with_relu(model) == {}


@compiled
@pytest.mark.parametrize(
    ("backbone", "pairs"), [("MobileNet", 27), ("InceptionV3", 94), ("ResNet50", 33), ("Xception", 24), ("VGG16", 0)]
)
def test_what_a_backbone_has_of_them(backbone, pairs):
    config = ExperimentConfig(backbone=backbone, weights="none", image_size=80)
    model = build_model(config, classes=4)
    (network,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    assert len(with_relu(network)) == 2 * pairs


@compiled
def test_a_built_model_learns_by_the_kernel_and_scores_without():
    model = build_model(MOBILENET, classes=4)
    images, labels = tf.zeros((4, 32, 32, 3), tf.uint8), tf.range(4)
    graphs = [
        tf.function(step).get_concrete_function((images, labels)).graph
        for step in (model.train_step, lambda data: model(data[0], training=False))
    ]
    used = [[operation.type for operation in graph.get_operations()].count("BatchNormRelu") for graph in graphs]
    assert used == [27, 0]


@compiled
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_another_precision_learns_without_it(precision):
    config = ExperimentConfig(backbone="MobileNet", weights="none", width=0.25, image_size=32, precision=precision)
    (network,) = (layer for layer in build_model(config, classes=4).layers if isinstance(layer, keras.Model))
    assert with_relu(network) == {}
