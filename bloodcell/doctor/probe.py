"""Have TensorFlow compute, and print what it did as JSON: `python -m bloodcell.doctor.probe`."""

import tensorflow as tf

from bloodcell.doctor.compute import Computed


def main() -> None:
    """Multiply two matrices of ones on the device TensorFlow chooses."""
    ones = tf.ones((256, 256))
    product = tf.linalg.matmul(ones, ones)
    names = [
        str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    correct = bool(tf.reduce_all(product == 256.0))
    print(Computed(device=product.device, gpus=names, correct=correct).model_dump_json())  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
