"""The dialect of plugins: functions as classes with valves, at `/api/functions/…` and `/api/v1/functions/…`."""
