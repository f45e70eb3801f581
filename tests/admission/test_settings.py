import dataclasses

import pytest

from gpu_admission.admission.settings import Settings, SettingsError, address
from gpu_admission.commands import main


def test_flags_win_over_the_environment():
    environ = {"GPU_ADMISSION_WORKERS": "4", "GPU_ADMISSION_POLICY": "a, b,", "GPU_ADMISSION_HTTP": "yes"}
    settings = Settings.from_environment(environ, workers=3, bind=None)
    assert (settings.workers, settings.policy, settings.http, settings.bind) == (3, ("a", "b"), True, "0.0.0.0:8443")


def test_every_field_can_come_from_the_environment():
    for field in dataclasses.fields(Settings):
        value = {bool: "1", int: "150", float: "1.5", tuple: "x"}.get(type(field.default), "")
        if value:
            assert getattr(Settings.from_environment({f"GPU_ADMISSION_{field.name.upper()}": value}), field.name)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"workers": 0}, "workers"),
        ({"keepalive": 90}, "keepalive"),
        ({"log_format": "xml"}, "log-format"),
        ({"log_level": "loud"}, "log-level"),
        ({"bind": "8443"}, "bind"),
        ({"bind": "host:99999"}, "bind"),
        ({"health_bind": "host:"}, "health-bind"),
        ({"tls_cert": "x"}, "tls-key"),
        ({"tls_cert": "x", "tls_key": "y", "http": True}, "exclude"),
        ({"self_signed": "x", "http": True}, "exclude"),
        ({"client_ca": "x", "http": True}, "client-ca"),
        ({"policy": ()}, "policy"),
    ],
)
def test_what_cannot_be_used_is_named(given, word):
    with pytest.raises(SettingsError, match=word):
        Settings(**given)


def test_a_number_that_is_none():
    with pytest.raises(SettingsError, match="GPU_ADMISSION_WORKERS"):
        Settings.from_environment({"GPU_ADMISSION_WORKERS": "many"})


@pytest.mark.parametrize(("text", "found"), [("[::]:8443", ("::", 8443)), ("localhost:1", ("localhost", 1))])
def test_addresses(text, found):
    assert address(text) == found


def test_wrong_usage_of_the_command(capsys, monkeypatch):
    monkeypatch.delenv("GPU_ADMISSION_BIND", raising=False)
    assert main.main(["serve", "--bind", "nowhere"]) == 2
    assert capsys.readouterr().err == "gpu-admission serve: bind: 'nowhere' is not HOST:PORT\n"
