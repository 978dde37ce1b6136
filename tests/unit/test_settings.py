"""Settings: read strictly, and all of them documented."""

import importlib
import re
from pathlib import Path

import msgspec
import pytest

from shared import config

URLS = {"NATS_URL": "nats://x", "MONGODB_URL": "mongodb://y"}
ROOT = Path(__file__).resolve().parents[2]


class Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    slots: int = 4
    notice_s: float = 0.1


def test_values_are_typed_and_defaults_stand() -> None:
    platform = config.read(config.Platform, prefix="SHOAL_", environ={**URLS, "SHOAL_LEASE_S": "2.5"})
    assert (platform.nats_url, platform.lease_s, platform.params_bytes) == ("nats://x", 2.5, 1 << 20)
    assert config.read(Own, prefix="SHOAL_EXECUTOR_", environ={"SHOAL_EXECUTOR_SLOTS": "9"}).slots == 9


def test_what_is_missing_is_named() -> None:
    with pytest.raises(config.ConfigError, match=r"^MONGODB_URL is not set$"):
        config.read(config.Platform, prefix="SHOAL_", environ={"NATS_URL": "nats://x"})


def test_a_wrong_type_is_named_with_its_value() -> None:
    with pytest.raises(config.ConfigError, match=r"SHOAL_EXECUTOR_SLOTS.*'many'"):
        config.read(Own, prefix="SHOAL_EXECUTOR_", environ={"SHOAL_EXECUTOR_SLOTS": "many"})


@pytest.mark.parametrize("name", ["SHOAL_LEASE", "SHOAL_EXECUTOR_SLOT"])
def test_a_typing_mistake_stops_the_boot(name: str) -> None:
    with pytest.raises(config.ConfigError, match=f"^{name} is not a setting of Shoal$"):
        config.refuse_unknown("executor", Own, {**URLS, name: "1"})


def test_other_services_settings_and_other_programs_variables_are_left_alone() -> None:
    config.refuse_unknown("executor", Own, {**URLS, "SHOAL_API_PORT": "1", "PATH": "/bin", "SHOAL_EXECUTOR_SLOTS": "1"})


def all_settings() -> set[str]:
    names = {config.variable("", field) for field in config.Platform.__struct_fields__} | config.OF_UP
    for service in config.SERVICES:
        section = getattr(importlib.import_module(f"services.{service}.config"), service.capitalize())
        names |= {config.variable(service, field) for field in section.__struct_fields__}
    return names


def test_every_setting_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert sorted(name for name in all_settings() if f"`{name}`" not in page) == []


@pytest.mark.parametrize("name", ["docs/settings.md", "compose.yaml", "Dockerfile", "deploy/env.example"])
def test_every_setting_that_is_named_is_one(name: str) -> None:
    named = set(re.findall(r"\bSHOAL_[A-Z_]*[A-Z]\b", (ROOT / name).read_text()))
    assert named - all_settings() <= {"SHOAL_EXECUTORS"}  # how many containers: compose's own


def test_what_compose_is_told_is_in_its_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    told = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    assert asked == told


def test_the_values_of_the_example_can_be_read() -> None:
    lines = re.findall(r"^(SHOAL_[A-Z_]+)=(.*)$", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE)
    executor = importlib.import_module("services.executor.config").Executor
    config.read(config.Platform, prefix="SHOAL_", environ={**URLS, **dict(lines)})
    config.read(executor, prefix="SHOAL_EXECUTOR_", environ=dict(lines))


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_traces_are_wanted_where_the_usual_variables_say_so(environ: dict[str, str], wanted: bool) -> None:
    assert config.wants_traces(environ) is wanted


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "^OTEL_TRACES_EXPORTER: otlp or none, got 'zipkin'$"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "^OTEL_EXPORTER_OTLP_PROTOCOL: http/protobuf is what is spoken here, got 'grpc'$",
        ),
    ],
)
def test_traces_that_cannot_be_had_stop_the_boot(environ: dict[str, str], said: str) -> None:
    with pytest.raises(config.ConfigError, match=said):
        config.wants_traces(environ)
