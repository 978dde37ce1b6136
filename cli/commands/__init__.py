"""One command a file: a function, or a cyclopts `App` of commands, of the file's own name."""

ABOUT = {
    "app": "Apps of a tenant",
    "audit": "Prove that no invocation is lost, stuck or doubled",
    "cancel": "Cancel calls that have not ended",
    "completion": "Print a script with which a shell completes commands and options",
    "context": "Servers by name: their addresses, tokens and apps",
    "dead": "Dead letters: what failed for good, listed, redriven, removed",
    "delete": "Delete a function",
    "deploy": "Deploy a file, or all functions of a folder",
    "env": "Environment variables of functions and apps: set, never shown",
    "invoke": "Call a function and print its result",
    "logs": "Show the calls of a function and what it printed; -f goes on",
    "ps": "List functions with their rates and latencies",
    "rebuild": "Write the record of invocations anew, from the streams",
    "restart": "Start all services of a running `shoal up` anew, while it goes on serving",
    "result": "Print the result of a call",
    "schedule": "Functions that run by themselves: when, and whether they did",
    "secrets": "Keys that seal what is secret at rest: counted, made, rotated",
    "tenant": "Tenants, which only the operator makes and ends",
    "token": "API tokens of users",
    "top": "Show what is called now, again and again: rates, latencies, errors, queues",
    "up": "Start Shoal on this machine: bus, store and all services, until Ctrl-C",
    "user": "Users of a tenant, its first administrator among them",
}
"""Every command with its line in `shoal --help`, which is to import none of them."""
