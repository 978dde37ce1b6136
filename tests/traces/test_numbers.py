"""A number among OpenTelemetry's variables that cannot be read is said in one line; what is let through is taken."""

import subprocess
import sys

import pytest

from shared import tracing
from shared.config import ConfigError
from shared.tracing.numbers import check
from tests.platform import ROOT

BATCH, QUEUE, DELAY = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_SCHEDULE_DELAY"
ARG, RATIO = "OTEL_TRACES_SAMPLER_ARG", {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
LIMIT, LENGTH = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
TIMEOUT = "OTEL_EXPORTER_OTLP_TIMEOUT"
MOST = "2147483647"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({DELAY: "abc"}, f"{DELAY}: a whole number from 1 to {MOST}, got 'abc'"),
        ({DELAY: "0"}, f"{DELAY}: a whole number from 1 to {MOST}, got '0'"),
        ({DELAY: "1" * 40}, f"{DELAY}: a whole number from 1 to {MOST}, got '{'1' * 40}'"),
        ({QUEUE: "2.5"}, f"{QUEUE}: a whole number from 1 to {MOST}, got '2.5'"),
        ({BATCH: "-1"}, f"{BATCH}: a whole number from 1 to {MOST}, got '-1'"),
        ({BATCH: "20", QUEUE: "10"}, f"{BATCH}: at most {QUEUE}, which is 10, got '20'"),
        ({BATCH: "5000"}, f"{BATCH}: at most {QUEUE}, which is 2048, got '5000'"),
        ({LIMIT: "many"}, f"{LIMIT}: a whole number from 0 to {MOST}, got 'many'"),
        ({LENGTH: "-1"}, f"{LENGTH}: a whole number from 0 to {MOST}, got '-1'"),
        ({TIMEOUT: "soon"}, f"{TIMEOUT}: seconds, a number above 0, got 'soon'"),
        ({TIMEOUT: "0"}, f"{TIMEOUT}: seconds, a number above 0, got '0'"),
        ({TIMEOUT: "inf"}, f"{TIMEOUT}: seconds, a number above 0, got 'inf'"),
        ({**RATIO, ARG: "x"}, f"{ARG}: a number from 0 to 1, got 'x'"),
        ({**RATIO, ARG: "1.5"}, f"{ARG}: a number from 0 to 1, got '1.5'"),
        ({**RATIO, ARG: "nan"}, f"{ARG}: a number from 0 to 1, got 'nan'"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_value(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(environ)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "environ",
    [
        {DELAY: "1", QUEUE: "1", BATCH: "1"},
        {DELAY: MOST, BATCH: "2048"},
        {QUEUE: "100"},
        {LIMIT: "0", LENGTH: "0"},
        {LIMIT: MOST, LENGTH: MOST},
        {DELAY: "", QUEUE: " ", LIMIT: "", TIMEOUT: "", **RATIO, ARG: ""},
        {TIMEOUT: "0.5"},
        {**RATIO, ARG: "0"},
        RATIO,
        {ARG: "x"},  # which nobody asks for
    ],
)
def test_opentelemetry_takes_without_a_word_what_is_let_through(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    for name in (BATCH, ARG):  # what is put in goes with the test
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    tracing.start("test", trouble=said.append)
    tracing.stop(within_s=5)
    assert said == []


@pytest.mark.parametrize(("name", "value"), [(DELAY, "abc"), (LIMIT, "many"), (ARG, "x")])
def test_a_service_ends_with_one_line(name: str, value: str) -> None:
    environ = {
        "NATS_URL": "nats://127.0.0.1:1",
        "MONGODB_URL": "mongodb://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        **RATIO,
        name: value,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "services.router"],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"shoal router: {name}: ")
    assert line.endswith(f"got '{value}'")
