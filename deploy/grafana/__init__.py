"""Shoal's Grafana dashboards: `python -m deploy.grafana` makes what is in `dashboards/` of what is in `boards/`."""
