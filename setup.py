"""Compile the kernel of `bloodcell.batch_norm_relu`, where there are a C++ compiler and TensorFlow with its headers.

All else is in pyproject.toml. Without the kernel the package works as well, and trains a little slower on a CPU.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = "bloodcell/batch_norm_relu.cc"
ASK = """import json, sys, tensorflow as tf
sys.path.insert(0, sys.argv[1])
from bloodcell.batch_norm_relu import FLAGS, library
print(json.dumps([library().name, [*FLAGS, *tf.sysconfig.get_compile_flags()], tf.sysconfig.get_link_flags()]))"""


@cache
def tensorflow() -> Any:
    """The library's name, and what TensorFlow says to compile and to link with; None where it cannot be imported.

    Asked of another process: on a processor that it does not fit TensorFlow ends the one that imports it.
    """
    here = str(Path(__file__).parent)
    asked = subprocess.run([sys.executable, "-c", ASK, here], capture_output=True, text=True, check=False)
    if asked.returncode:
        sys.stderr.write(f"the kernel is not compiled: {asked.stderr}\n")  # pip shows it with --verbose
        return None
    return json.loads(asked.stdout.splitlines()[-1])


class BuildKernel(build_ext):
    """Compile as TensorFlow says, to the file that `bloodcell.batch_norm_relu` loads."""

    def build_extension(self, extension: Extension) -> None:
        """Compile; a failure leaves the package without the kernel, as the extension is optional."""
        _, compiling, linking = tensorflow()
        # As a system's headers, of which a compiler shows no warnings.
        includes = [flag.replace("-I", "-isystem", 1) for flag in compiling]
        extension.extra_compile_args += includes
        extension.extra_link_args += linking
        target = Path(self.get_ext_fullpath(extension.name))
        for other in target.parent.glob("batch_norm_relu-*.so"):  # of an older source, which a wheel would hold too
            other.unlink()
        super().build_extension(extension)

    def get_ext_filename(self, fullname: str) -> str:
        """Its name, without that of a Python, which it has nothing of."""
        return str(Path(*fullname.split(".")[:-1], tensorflow()[0]))


setup(
    ext_modules=[Extension("bloodcell._batch_norm_relu", [SOURCE], optional=True)] if tensorflow() else [],
    cmdclass={"build_ext": BuildKernel},
    options={"build_ext": {"force": True}},  # what is there may have been compiled with other flags
)
