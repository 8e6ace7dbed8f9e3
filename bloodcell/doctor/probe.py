"""Have TensorFlow compute, and print what it did as JSON: `python -m bloodcell.doctor.probe`."""

import tensorflow as tf

from bloodcell import batch_norm_relu
from bloodcell.doctor.compute import Computed


def main() -> None:
    """Multiply two matrices of ones on the device TensorFlow chooses, and run this project's own kernel on a CPU."""
    ones = tf.ones((256, 256))
    product = tf.linalg.matmul(ones, ones)
    names = [
        str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    correct = bool(tf.reduce_all(product == 256.0))
    has_kernel = batch_norm_relu.is_compiled()
    if has_kernel and not names:
        normalized = batch_norm_relu.batch_norm_relu(ones, ones[0], 2 * ones[0], epsilon=1e-3, max_value=6.0)
        correct = correct and bool(tf.reduce_all(normalized.outputs == 2.0))
    print(Computed(device=product.device, gpus=names, correct=correct, has_kernel=has_kernel).model_dump_json())  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
