"""The apps dialect: `/v1/{app_id}/…`, where functions are deployed by name and called over HTTP."""
