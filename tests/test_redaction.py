from urllib.parse import unquote

import pytest

from bloodcell.errors import BloodcellError
from bloodcell.redaction import redacted

VALUE = "kK9/x+Yz=secret"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING",
        "REGISTRY_PASSWORD", "S3_SECRET_KEY", "some_token",
    ],
)  # fmt: skip
def test_a_credential_of_the_environment_is_taken_out(monkeypatch, name):
    monkeypatch.setenv(name, VALUE)
    assert redacted(f"header: {VALUE}, again {VALUE}.") == "header: …, again …."


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_WEB_IDENTITY_TOKEN_FILE", "TOKENIZERS", "BLOODCELL_STORE"])
def test_other_variables_are_not(monkeypatch, name):
    monkeypatch.setenv(name, VALUE)
    assert redacted(VALUE) == VALUE


def test_a_value_that_may_be_any_word_stays(monkeypatch):
    monkeypatch.setenv("SOME_PASSWORD", "grid")
    assert redacted("the grid") == "the grid"


@pytest.mark.parametrize("password", ["long-password", "with/slash-and@at", "quoted%2Fpassword"])
def test_the_password_of_an_address_in_the_environment_is_taken_out(monkeypatch, password):
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{password}@proxy:3128")
    shown = redacted(f"{password} or {unquote(password)} of http://user:{password}@proxy:3128")
    assert shown == "… or … of http://…@proxy:3128"


def test_the_password_alone_of_a_user_and_a_password_is_taken_out(monkeypatch):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:long-password")
    assert redacted("admin:long-password, long-password, admin") == "…, …, admin"


def test_a_part_of_another_credential_leaves_nothing_of_it(monkeypatch):
    monkeypatch.setenv("A_TOKEN", "12345678")
    monkeypatch.setenv("B_TOKEN", "12345678-and-more")
    assert redacted("12345678-and-more 12345678") == "… …"


def test_the_user_of_any_url_is_taken_out():
    assert (
        redacted("git clone https://me:token@host/x.git # s3://b/name@1")
        == "git clone https://…@host/x.git # s3://b/name@1"
    )
    assert redacted("mail me@host") == "mail me@host"


def test_every_error_of_the_project_is_redacted(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", VALUE)
    error = BloodcellError(f"the server says {VALUE}", remedy=f"not {VALUE}")
    assert VALUE not in f"{error} {error!r} {error.problem} {error.remedy} {error.args}"
