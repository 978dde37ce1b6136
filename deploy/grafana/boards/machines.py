"""The lower rows of the overview: executors with their queues and workers, and the processes themselves."""

from deploy.grafana.dashboard import Row
from deploy.grafana.panel import curves
from deploy.grafana.query import SERVICES, none, rate, zero

EXECUTORS = Row(
    title="Executors",
    panels=[
        curves(
            "Slots in use",
            "The share of slots in which a call runs. At 1 calls wait: more executors, or more slots.",
            [("{{pool}}", "sum by (pool) (shoal_slots_busy) / (sum by (pool) (shoal_slots) > 0)")],
            unit="percentunit",
            limits=[0.8, 0.95],
        ),
        curves(
            "Running and in hand",
            "Calls that run, calls that executors have in hand, and slots there are.",
            [
                ("{{pool}} runs", "sum by (pool) (shoal_slots_busy)"),
                ("{{pool}} in hand", "max by (pool) (shoal_in_flight)"),
                ("{{pool}} slots", "sum by (pool) (shoal_slots)"),
            ],
        ),
        curves(
            "Queue",
            "Dispatched calls that no executor has yet; `later` are attempts that wait for their moment.",
            [
                ("{{pool}}", "max by (pool) (shoal_queue_depth)"),
                ("later", zero("max(shoal_queue_later)")),
            ],
        ),
        curves(
            "Oldest queued",
            "Age of the call that has waited longest.",
            [("{{pool}}", "max by (pool) (shoal_queue_oldest_seconds)")],
            unit="s",
            limits=[10, 60],
        ),
        curves(
            "Workers",
            "Processes of functions: busy, warm (ready for their function's next call) and spare (of no function yet).",
            [("{{pool}} {{state}}", "sum by (pool, state) (shoal_workers)")],
            stacked=True,
        ),
        curves(
            "How calls get a worker",
            "`warm`: their function's own; `spare`: one that was started ahead; `cold`: one that had to be started.",
            [("{{kind}}", none(rate("shoal_worker_starts_total", "kind"), "kind"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Workers ended, by reason",
            "Idle ones are let go; others met a limit, or died.",
            [("{{reason}}", none(rate("shoal_workers_ended_total", "reason"), "reason"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Limits met",
            "Calls that met one of their limits: time, memory, output.",
            [("{{limit}}", none(rate("shoal_limits_reached_total", "limit"), "limit"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Connections refused",
            "Connections of functions that were not made, by why.",
            [("{{reason}}", none(rate("shoal_egress_refused_total", "reason"), "reason"))],
            unit="ops",
            stacked=True,
        ),
    ],
)

PROCESSES = Row(
    title="Processes",
    panels=[
        curves(
            "Memory",
            "Resident memory of each service, without the workers of executors.",
            [("{{service}} {{instance}}", f"process_resident_memory_bytes{{{SERVICES}}}")],
            unit="bytes",
        ),
        curves(
            "Processor",
            "Cores that each service uses. A service is one process with one loop: near 1 it is full.",
            [
                (
                    "{{service}} {{instance}}",
                    f"sum by (service, instance) (rate(process_cpu_seconds_total{{{SERVICES}}}[$__rate_interval]))",
                )
            ],
            limits=[0.7, 0.9],
        ),
        curves(
            "Open files",
            "The share of the files and sockets that a process may have open.",
            [("{{service}} {{instance}}", f"process_open_fds{{{SERVICES}}} / process_max_fds{{{SERVICES}}}")],
            unit="percentunit",
            limits=[0.8, 0.9],
        ),
        curves(
            "Starts",
            "How often each service was started within an hour.",
            [("{{service}} {{instance}}", f"changes(process_start_time_seconds{{{SERVICES}}}[1h])")],
        ),
        curves(
            "Lines of functions",
            "What functions write, a second.",
            [("{{pool}}", none(rate("shoal_logs_lines_total", "pool"), "pool"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Lines left out, followers",
            "Lines that somebody was not given, by where (the gap is named to him), and who follows.",
            [
                ("left out: {{where}}", none(rate("shoal_logs_dropped_total", "where"), "where")),
                ("followers", zero("sum(shoal_log_followers)")),
            ],
        ),
    ],
)
