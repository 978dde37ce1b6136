"""The dashboards, by the name of their file. This is the only list of them."""

from deploy.grafana.boards import bus_and_store, function, overview, tenants, triggers

BOARDS = {
    "overview": overview.BOARD,
    "function": function.BOARD,
    "tenants": tenants.BOARD,
    "bus-and-store": bus_and_store.BOARD,
    "triggers": triggers.BOARD,
}
