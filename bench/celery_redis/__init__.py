"""The usual way to do it: Celery with Redis as broker and result backend, the function compiled by RestrictedPython."""
