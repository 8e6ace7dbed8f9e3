"""Have TensorFlow compute, and print what it did as JSON: `python -m bloodcell.doctor.probe`."""

import tensorflow as tf

from bloodcell import batch_norm_relu
from bloodcell.doctor.compute import Computed, Kernel


def main() -> None:
    """Multiply two matrices of ones on the device TensorFlow chooses; then, on a CPU, run this project's own kernel."""
    ones = tf.ones((256, 256))
    product = tf.linalg.matmul(ones, ones)
    names = [
        str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    correct = bool(tf.reduce_all(product == 256.0))
    used = batch_norm_relu.is_compiled() and not names
    answer(Computed(device=product.device, gpus=names, correct=correct, kernel=used))
    if used:
        answer(Kernel(correct=kernel_is_correct()))


def kernel_is_correct() -> bool:
    """Whether the kernel computes what TensorFlow's operations do, and the same gradients."""
    images = tf.random.stateless_normal((4, 8, 8, 16), (0, 1))
    scale, offset = tf.linspace(-2.0, 2.0, 16), tf.linspace(0.0, 3.0, 16)
    results = []
    for own in (True, False):
        with tf.GradientTape() as tape:
            tape.watch([images, scale, offset])
            if own:
                outputs = batch_norm_relu.batch_norm_relu(images, scale, offset, epsilon=1e-3, max_value=4.0).outputs
            else:
                mean, variance = tf.nn.moments(images, [0, 1, 2])
                normalized = tf.nn.batch_normalization(images, mean, variance, offset, scale, 1e-3)
                outputs = tf.minimum(tf.nn.relu(normalized), 4.0)
            loss = tf.reduce_sum(outputs * outputs)
        results.append([outputs, *tape.gradient(loss, [images, scale, offset])])
    return all(bool(tf.reduce_all(tf.abs(one - other) < 1e-2)) for one, other in zip(*results, strict=True))


def answer(found: Computed | Kernel) -> None:
    """Print a line for the doctor, at once: what comes next may end the process."""
    print(found.model_dump_json(), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
