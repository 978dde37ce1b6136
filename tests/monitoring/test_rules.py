"""Alerts and recordings: understood by Prometheus, each with a chapter in the runbooks, each tried."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.monitoring.rules import PROMETHEUS, RUNBOOKS, alerts, recordings

SERVICES = ("api", "router", "executor", "recorder", "scheduler", "triggers")


class Case(NamedTuple):
    """Series by the minute (promtool's notation), a moment at which the alert is still, and one at which it fires.

    `of` are the labels by which who is alerted knows what it is about.
    """

    alert: str
    series: dict[str, str]
    still: str
    fires: str
    of: dict[str, str]


def buckets(name: str, labels: str, fast: str, slow: str) -> dict[str, str]:
    """A histogram with two buckets: what is fast, and all."""
    return {f'{name}_bucket{{{labels}le="0.5"}}': fast, f'{name}_bucket{{{labels}le="60.0"}}': slow} | {
        f'{name}_bucket{{{labels}le="+Inf"}}': slow
    }


CASES = [
    Case(
        "ShoalServiceDown",
        {'up{job="shoal",service="api",instance="a"}': "1x9 0x9", 'up{job="other",service="x",instance="b"}': "0x19"},
        "10m",
        "12m",
        {"service": "api", "instance": "a", "job": "shoal"},
    ),
    Case(
        "ShoalServiceMissing",
        {f'up{{job="shoal",service="{name}",instance="a"}}': "1x20" for name in SERVICES if name != "recorder"}
        | {'up{job="shoal",service="recorder",instance="a"}': "1x5 _x15"},
        "5m",
        "18m",
        {"service": "recorder", "job": "shoal"},
    ),
    Case(
        "ShoalServiceRestarts",
        {'process_start_time_seconds{job="shoal",service="api",instance="a"}': "1x20 2 3 4x9"},
        "20m",
        "25m",
        {"service": "api", "instance": "a", "job": "shoal"},
    ),
    Case(
        "ShoalFilesRunOut",
        {
            'process_open_fds{job="shoal",service="api",instance="a"}': "10x9 900x20",
            'process_max_fds{job="shoal",service="api",instance="a"}': "1000x30",
        },
        "9m",
        "16m",
        {"service": "api", "instance": "a", "job": "shoal"},
    ),
    Case(
        "ShoalAnswersFail",
        {
            'shoal_http_requests_total{method="GET",status="200"}': "0+600x40",
            # Functions fail, and answer 5xx themselves, all the time; Shoal fails from the 25th minute on.
            'shoal_http_requests_total{method="POST",status="500"}': "0+600x60",
            'shoal_invocations_finished_total{status="FAILURE",mode="app",trigger="api"}': "0+300x60",
            'shoal_invocations_finished_total{status="SUCCESS",mode="app",trigger="http"}': "0+300x60",
            'shoal_http_requests_total{method="GET",status="503"}': "0x25 100+100x34",
        },
        "25m",
        "45m",
        {},
    ),
    Case(
        "ShoalServerErrors",
        {
            'shoal_http_requests_total{method="POST",status="200"}': "0+600x60",
            'shoal_invocations_finished_total{status="SUCCESS",mode="app",trigger="api"}': "0+600x60",
            # Calls that fail are told by another alert.
            'shoal_http_requests_total{method="POST",status="500"}': "0+600x60",
            'shoal_invocations_finished_total{status="FAILURE",mode="app",trigger="api"}': "0+600x60",
            'shoal_http_requests_total{method="POST",status="503"}': "0x25 200+200x34",
        },
        "25m",
        "50m",
        {},
    ),
    Case(
        "ShoalNothingEnds",
        {
            'shoal_invocations_accepted_total{trigger="api"}': "0+60x40",
            'shoal_invocations_finished_total{status="SUCCESS",mode="app",trigger="api"}': "0+60x15 900x25",
        },
        "15m",
        "30m",
        {},
    ),
    Case(
        "ShoalCallsFail",
        {
            'shoal_invocations_finished_total{status="SUCCESS",mode="app",trigger="api"}': "0+60x40",
            'shoal_invocations_finished_total{status="FAILURE",mode="app",trigger="api"}': "0x10 60+60x30",
        },
        "10m",
        "35m",
        {},
    ),
    Case(
        "ShoalSlow",
        buckets("shoal_stage_seconds", 'stage="routed",mode="app",', "0+60x10 600x30", "0+60x40")
        | buckets("shoal_stage_seconds", 'stage="done",mode="app",', "0x40", "0+60x40"),
        "10m",
        "30m",
        {"stage": "routed"},
    ),
    Case(
        "ShoalQueueOld",
        {'shoal_queue_oldest_seconds{pool="python"}': "5x9 90x20"},
        "9m",
        "16m",
        {"pool": "python"},
    ),
    Case(
        "ShoalSlotsFull",
        {'shoal_slots_busy{pool="python"}': "1x9 4x30", 'shoal_slots{pool="python"}': "4x40"},
        "9m",
        "27m",
        {"pool": "python"},
    ),
    Case("ShoalOrphans", {"shoal_orphans": "0x9 2x30"}, "9m", "21m", {}),
    Case("ShoalRanTwice", {'shoal_ran_twice_total{pool="python"}': "_x9 1x9"}, "8m", "11m", {}),
    Case(
        "ShoalDeadLetters",
        {'shoal_dead_letters_total{stream="WORK",reason="error"}': "3x20 30x20"},
        "20m",
        "23m",
        {},
    ),
    Case(
        "ShoalUnreadable",
        {
            'shoal_dead_letters_total{stream="WORK",reason="error"}': "0+1x40",
            'shoal_dead_letters_total{stream="INVOKE",reason="unreadable"}': "_x19 1x20",
        },
        "18m",
        "21m",
        {"stream": "INVOKE"},
    ),
    Case(
        "ShoalWorkersDie",
        {
            'shoal_workers_ended_total{pool="python",reason="unused"}': "0+600x40",
            'shoal_workers_ended_total{pool="python",reason="died"}': "0x10 120+120x30",
        },
        "15m",
        "25m",
        {"pool": "python", "reason": "died"},
    ),
    Case(
        "ShoalViolations",
        {
            'shoal_workers_ended_total{pool="python",reason="unused"}': "0+600x40",
            'shoal_workers_ended_total{pool="python",reason="violation"}': "_x9 1x30",
        },
        "8m",
        "12m",
        {"pool": "python"},
    ),
    Case("ShoalRecorderBehind", {"shoal_recorder_lag_seconds": "1x9 60x20"}, "9m", "16m", {}),
    Case(
        "ShoalConsumerBehind",
        {
            'shoal_consumer_pending{stream="EVENTS",consumer="record"}': "0x9 20000+1000x40",
            'shoal_consumer_pending{stream="WORK",consumer="python"}': "50000-100x49",
        },
        "9m",
        "25m",
        {"stream": "EVENTS", "consumer": "record"},
    ),
    Case(
        "ShoalLogsDropped",
        {
            'shoal_logs_lines_total{pool="python"}': "0+1000x40",
            # A loud function and a slow follower lose theirs all the time; so does the bus a few after an outage.
            'shoal_logs_dropped_total{where="executor"}': "0+5000x40",
            'shoal_logs_dropped_total{where="follower"}': "0+5000x40",
            'shoal_logs_dropped_total{where="bus"}': "0x5 50x15 50+100x20",
        },
        "20m",
        "30m",
        {},
    ),
    Case(
        "ShoalTicksLate",
        buckets("shoal_schedule_lateness_seconds", "", "0+6x10 60x30", "0+6x40"),
        "10m",
        "30m",
        {},
    ),
    Case(
        "ShoalWebhooksRejected",
        {
            'shoal_webhooks_total{source="github",verdict="accepted"}': "0+600x40",
            'shoal_webhooks_total{source="github",verdict="rejected"}': "0x10 120+120x30",
        },
        "15m",
        "25m",
        {"source": "github"},
    ),
    Case(
        "ShoalSourcesFail",
        {'shoal_event_source_faults_total{kind="sqs",reason="refused"}': "0x20 8+1x20"},
        "20m",
        "24m",
        {"kind": "sqs", "reason": "refused"},
    ),
]


def test_prometheus_understands_the_configuration_and_the_rules() -> None:
    config = ["promtool", "check", "config", "--lint=all", "--lint-fatal", str(PROMETHEUS / "prometheus.yaml")]
    done = subprocess.run(config, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    assert sorted(case.alert for case in CASES) == sorted(alert["alert"] for alert in alerts())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_it_should_and_not_before(case: Case, tmp_path: Path) -> None:
    alert = next(each for each in alerts() if each["alert"] == case.alert)
    labels = {"alertname": case.alert, "alertstate": "firing", **alert["labels"], **case.of}
    told = "ALERTS{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
    ask = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    plan = {
        "rule_files": [str(PROMETHEUS / "recording.yaml"), str(PROMETHEUS / "alerts.yaml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [
                    {"expr": ask, "eval_time": case.still},
                    {"expr": ask, "eval_time": case.fires, "exp_samples": [{"labels": told, "value": 1}]},
                ],
            }
        ],
    }
    file = tmp_path / "plan.yaml"
    file.write_text(json.dumps(plan))  # which is YAML, too
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_says_what_it_is_and_where_to_read_on() -> None:
    page = RUNBOOKS.read_text()
    chapters = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert chapters == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        name, told = alert["alert"], alert["annotations"]
        assert alert["labels"]["severity"] in {"critical", "warning"}, name
        assert told["summary"], name
        assert told["description"].endswith("."), name
        assert told["runbook_url"] == f"docs/runbooks.md#{name.lower()}", name


def test_a_chapter_says_what_it_means_how_to_look_and_what_to_do() -> None:
    for chapter in RUNBOOKS.read_text().split("\n## ")[1:]:
        name, _, body = chapter.partition("\n")
        for part in ("**Means.**", "**Look.**", "**Do.**"):
            assert body.count(part) == 1, (name, part)


def test_recordings_are_named_after_what_they_keep() -> None:
    """`labels:metric:what was done`, as Prometheus' own guide has it."""
    for rule in recordings():
        labels, metric, _ = rule["record"].split(":")
        assert metric.removesuffix("_bucket") in rule["expr"].replace("_total", ""), rule["record"]
        kept = re.search(r"by \(([^)]*)\)", rule["expr"])
        assert kept, rule["record"]
        assert labels == kept[1].replace(", ", "_"), rule["record"]
