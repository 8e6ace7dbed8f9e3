from importlib import metadata

import pytest
from packaging.requirements import Requirement

from bloodcell.doctor import software

ASKED = [Requirement("keras>=3.15,<3.16"), Requirement("tensorflow-cpu>=2.21,<2.22"), Requirement("tensorflow>=2.21")]


def test_this_environment_is_as_asked_for():
    assert [check.about for check in software.checks()] == ["Python", "packages", "TensorFlow", "code"]
    assert {check.status for check in software.checks()} == {"ok"}


def test_a_folder_that_is_not_installed_is_told(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", missing)
    (check,) = software.checks()
    assert (check.status, check.exit_code) == ("FAIL", 78)


@pytest.mark.parametrize(("running", "status"), [("3.11.2", "ok"), ("3.15.0rc1", "ok"), ("3.10.9", "FAIL")])
def test_python(running, status):
    assert software.python(running, ">=3.11").status == status


def test_packages_that_are_missing_or_of_another_version_are_named():
    asked = [
        Requirement("NumPy>=2"),
        Requirement("pandas>=2.2"),
        Requirement("prefect<3.9,>=3.8"),
        Requirement("click"),
    ]
    check = software.packages(asked, {"numpy": "1.26.4", "prefect": "3.8.8", "click": "8.1"})
    assert check.status == "FAIL"
    assert check.found == "NumPy is 1.26.4, not >=2, pandas is missing"
    assert "--require-hashes" in check.remedy


@pytest.mark.parametrize(
    ("installed", "status", "found"),
    [
        ({}, "warn", "not installed"),
        ({"keras": "3.15.1", "tensorflow-cpu": "2.21.0"}, "ok", "tensorflow-cpu 2.21.0, Keras 3.15.1"),
        ({"keras": "3.15.1", "tensorflow": "2.21.0"}, "ok", "tensorflow 2.21.0, Keras 3.15.1"),
        ({"keras": "3.12.0", "tensorflow-cpu": "2.21.0"}, "FAIL", "keras is 3.12.0, not <3.16,>=3.15"),
        ({"tensorflow-cpu": "2.21.0"}, "FAIL", "keras is missing"),
        ({"keras": "3.15.1", "tensorflow": "2.21.0", "tensorflow-cpu": "2.21.0"}, "FAIL", "break each other"),
    ],
)
def test_tensorflow(installed, status, found):
    check = software.tensorflow(ASKED, installed)
    assert check.status == status
    assert found in check.found


def test_an_unknown_commit_is_no_failure():
    check = software.code(None)
    assert (check.status, check.exit_code) == ("warn", 0)
    assert "make image" in check.remedy
    assert software.code("abc").found.endswith("commit abc")
