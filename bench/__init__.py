"""Shoal against a bare floor and against Celery: `python -m bench` from the repository's root."""
