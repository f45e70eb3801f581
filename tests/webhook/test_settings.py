import dataclasses

import pytest

from gpu_admission.commands import main
from gpu_admission.webhook.server.settings import ServerSettings, SettingsError, address, misspelt


def test_flags_win_over_the_environment():
    environ = {"GPU_ADMISSION_WORKERS": "4", "GPU_ADMISSION_POLICY": "a, b,", "GPU_ADMISSION_HTTP": "yes"}
    settings = ServerSettings.from_environment(environ, workers=3, bind=None)
    assert (settings.workers, settings.policy, settings.http, settings.bind) == (3, ("a", "b"), True, "0.0.0.0:8443")


@pytest.mark.parametrize("name", ["GPU_ADMISSION_ENGINE", "GPU_ADMISSION_KEEPER"])
def test_no_variable_names_a_module_to_run(name):
    assert ServerSettings.from_environment({name: "antigravity:fly"}) == ServerSettings()


def test_every_field_can_come_from_the_environment():
    for field in dataclasses.fields(ServerSettings):
        value = {bool: "1", int: "150", float: "1.5", tuple: "x"}.get(type(field.default), "")
        if value:
            assert getattr(ServerSettings.from_environment({f"GPU_ADMISSION_{field.name.upper()}": value}), field.name)


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
        ({"tls_cert": "x", "tls_key": "y", "http": True}, "mutually exclusive"),
        ({"self_signed": "x", "http": True}, "mutually exclusive"),
        ({"client_ca": "x", "http": True}, "client-ca"),
        ({"policy": ()}, "policy"),
        ({"policy_source": "configmap"}, "policy-source: 'configmap' is neither files nor crd"),
        ({"mode": "enforced"}, "mode: 'enforced' is not enforce, warn or audit"),
        ({"lame_duck": -1.0}, "lame-duck"),
        ({"lame_duck": float("nan")}, "lame-duck"),
        ({"lame_duck": 1e300}, "lame-duck"),
        ({"header_timeout": float("inf")}, "header-timeout"),
        ({"reload_interval": 0.0}, "reload-interval: must be greater than 0"),
        ({"max_connections": 0}, "max-connections"),
        ({"max_body": -1}, "max-body"),
    ],
)
def test_what_cannot_be_used_is_named(given, word):
    with pytest.raises(SettingsError, match=word):
        ServerSettings(**given)


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_policies_are_files_or_objects(way):
    environ = {"GPU_ADMISSION_POLICY_SOURCE": "crd"} | ({"GPU_ADMISSION_POLICY": "mig"} if way == "environment" else {})
    given = {"policy": ("mig",)} if way == "flag" else {}
    with pytest.raises(SettingsError, match="policy cannot be combined with policy-source crd"):
        ServerSettings.from_environment(environ, **given)
    assert ServerSettings.from_environment({"GPU_ADMISSION_POLICY_SOURCE": "crd"}).policy_source == "crd"


def test_a_number_that_is_none():
    with pytest.raises(SettingsError, match="GPU_ADMISSION_WORKERS"):
        ServerSettings.from_environment({"GPU_ADMISSION_WORKERS": "many"})


@pytest.mark.parametrize(("text", "meaning"), [("on", True), ("TRUE ", True), ("0", False), ("no", False), ("", False)])
def test_switches(text, meaning):
    assert ServerSettings.from_environment({"GPU_ADMISSION_HTTP": text}).http is meaning


def test_a_switch_that_is_neither_on_nor_off():
    with pytest.raises(SettingsError, match="GPU_ADMISSION_HTTP: 'ture' is neither true nor false"):
        ServerSettings.from_environment({"GPU_ADMISSION_HTTP": "ture"})


def test_misspelt_variables_are_named_and_those_of_kubernetes_are_not():
    environ = dict.fromkeys(("GPU_ADMISSION_HELTH_BIND", "GPU_ADMISSION_WORKER", "GPU_ADMISSION_BIND"), "x")
    environ |= dict.fromkeys(("GPU_ADMISSION_STATE", "GPU_ADMISSION_QQQ", "GPU_ADMISSIONS", "BIND"), "x")
    for service in ("GPU_ADMISSION", "GPU_ADMISSION_HEALTH"):
        for tail in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTPS", "PORT", "PORT_443_TCP", "PORT_443_TCP_ADDR"):
            environ[f"{service}_{tail}"] = "x"
    assert misspelt(environ) == [
        "GPU_ADMISSION_HELTH_BIND is not a setting; did you mean 'GPU_ADMISSION_HEALTH_BIND'?",
        "GPU_ADMISSION_WORKER is not a setting; did you mean 'GPU_ADMISSION_WORKERS'?",
    ]


@pytest.mark.parametrize(("text", "found"), [("[::]:8443", ("::", 8443)), ("localhost:1", ("localhost", 1))])
def test_addresses(text, found):
    assert address(text) == found


def test_wrong_usage_of_the_command(capsys, monkeypatch):
    monkeypatch.delenv("GPU_ADMISSION_BIND", raising=False)
    assert main.main(["serve", "--bind", "nowhere"]) == 2
    assert capsys.readouterr().err == "gpu-admission serve: bind: 'nowhere' is not HOST:PORT\n"
