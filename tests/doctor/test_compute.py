import signal
import subprocess
import sys

import pytest

from bloodcell.batch_norm_relu import is_compiled
from bloodcell.doctor import compute
from bloodcell.doctor.compute import Computed
from bloodcell.errors import ConfigError


@pytest.fixture
def broken_tensorflow(tmp_path, monkeypatch):
    """Puts a TensorFlow before the real one that does as it is told when it is imported."""

    def put(program: str) -> None:
        (tmp_path / "tensorflow.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return put


def test_tensorflow_computes_here():
    product, gpus, kernel = compute.checks()
    assert product.status == "ok"
    assert gpus.about == "GPUs"
    assert (kernel.about, kernel.status) == ("kernel", "ok" if is_compiled() else "warn")


def test_a_processor_that_tensorflow_does_not_fit(broken_tensorflow):
    broken_tensorflow(f"import os; os.kill(os.getpid(), {int(signal.SIGILL)})")
    (check,) = compute.checks()
    assert (check.status, check.exit_code) == ("FAIL", 78)
    assert "instructions that this processor does not have" in check.found


def test_a_tensorflow_that_cannot_be_imported(broken_tensorflow):
    broken_tensorflow("raise ImportError('libcudart.so.12: cannot open shared object file')")
    with pytest.raises(ConfigError, match=r"exit code 1: ImportError: libcudart\.so\.12"):
        compute.probe()


def test_a_tensorflow_that_hangs(broken_tensorflow, monkeypatch):
    broken_tensorflow("import time; time.sleep(60)")
    monkeypatch.setattr(compute, "_PATIENCE_SECONDS", 2)
    with pytest.raises(ConfigError, match="in 2 s"):
        compute.probe()


def test_a_machine_without_tensorflow_is_not_asked_to_compute(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert list(compute.checks()) == []


def test_a_wrong_product():
    check = compute.product(Computed(device="/device:GPU:0", gpus=("T4",), correct=False, kernel=False))
    assert check.status == "FAIL"


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """Puts a program in the place of the probe, which prints what it computed, and goes on as it is told."""
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda _, **options: run([sys.executable, tmp_path / "probe"], **options))

    def put(program: str, *, kernel: bool) -> None:
        computed = Computed(device="/device:CPU:0", gpus=(), correct=True, kernel=kernel).model_dump_json()
        (tmp_path / "probe").write_text(f"import os\nprint('a plugin')\nprint({computed!r}, flush=True)\n{program}\n")

    return put


@pytest.mark.parametrize("program", ["os.kill(os.getpid(), 7)", "print('{\"correct\": false}')"])
def test_a_kernel_that_is_broken_is_not_taken_for_a_broken_machine(probe, program):
    probe(program, kernel=True)
    product, _, kernel = compute.checks()
    assert product.status == "ok"
    assert (kernel.status, kernel.exit_code) == ("FAIL", 78)
    assert "batch_norm_relu-*.so" in kernel.remedy


def test_an_end_without_a_kernel_is_not_laid_on_it(probe):
    probe("os.kill(os.getpid(), 7)", kernel=False)
    (check,) = compute.checks()
    assert (check.about, check.status) == ("computing", "FAIL")


def test_what_others_print_is_no_answer(probe):
    probe("print('goodbye')", kernel=False)
    product, _, kernel = compute.checks()
    assert (product.status, kernel.status) == ("ok", "warn")


def test_what_to_do_where_the_kernel_is_not_compiled():
    check = compute.kernel(None)
    assert check.status == "warn"
    assert "g++" in check.remedy


@pytest.mark.parametrize(
    ("seen", "environment", "status"),
    [
        ((), {}, "ok"),
        ((), {"NVIDIA_VISIBLE_DEVICES": "void"}, "ok"),
        ((), {"NVIDIA_VISIBLE_DEVICES": "0"}, "FAIL"),
        ((), {"NVIDIA_VISIBLE_DEVICES": "all"}, "FAIL"),
        ((), {"BLOODCELL_GPUS": "0,1"}, "warn"),
        (("Tesla T4",), {"NVIDIA_VISIBLE_DEVICES": "0"}, "ok"),
    ],
)
def test_gpus_are_asked_for_or_not(seen, environment, status):
    assert compute.gpus(seen, environment).status == status
