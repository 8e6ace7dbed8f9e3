"""Compile the kernel of `bloodcell.batch_norm_relu`, where there are a C++ compiler and TensorFlow with its headers.

All else is in pyproject.toml. Without the kernel the package works as well, and trains a little slower on a CPU.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = "bloodcell/batch_norm_relu.cc"


class BuildKernel(build_ext):
    """Compile as TensorFlow says, to a file whose name tells the source and the TensorFlow that it is for."""

    def build_extension(self, extension: Extension) -> None:
        """Compile; a failure leaves the package without the kernel, as the extension is optional."""
        import tensorflow as tf

        # As a system's headers, of which a compiler shows no warnings.
        includes = [flag.replace("-I", "-isystem", 1) for flag in tf.sysconfig.get_compile_flags()]
        extension.extra_compile_args += ["-O3", "-g0", "-fno-trapping-math", *includes]
        extension.extra_link_args += tf.sysconfig.get_link_flags()
        super().build_extension(extension)

    def get_ext_filename(self, fullname: str) -> str:
        """As `bloodcell.batch_norm_relu.library` expects it."""
        import tensorflow as tf

        digest = hashlib.sha256(f"{tf.__version__}\0{Path(SOURCE).read_text(encoding='utf-8')}".encode())
        return str(Path(*fullname.split(".")[:-1], f"batch_norm_relu-{digest.hexdigest()[:12]}.so"))


setup(
    ext_modules=[Extension("bloodcell._batch_norm_relu", [SOURCE], optional=True)] if find_spec("tensorflow") else [],
    cmdclass={"build_ext": BuildKernel},
)
