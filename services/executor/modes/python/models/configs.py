"""`model_config`: the settings of a model that are plain data and open no door."""

from typing import Any

from services.executor.modes.python.models.plain import Frozen, NotPlainError, freeze

# Not among them: what reads attributes of any object by name (from_attributes), calls functions, or looks for a source.
_PLAIN = (
    "title extra frozen strict str_strip_whitespace str_to_lower str_to_upper str_min_length str_max_length "
    "populate_by_name use_enum_values validate_assignment validate_default validate_return validate_by_alias "
    "validate_by_name serialize_by_alias loc_by_alias revalidate_instances json_schema_extra allow_inf_nan "
    "coerce_numbers_to_str hide_input_in_errors protected_namespaces regex_engine ser_json_timedelta ser_json_bytes "
    "val_json_bytes ser_json_inf_nan json_schema_serialization_defaults_required url_preserve_empty_path"
)
_OPEN = (
    "from_attributes orm_mode alias_generator json_encoders plugin_settings defer_build schema_generator "
    "model_title_generator field_title_generator ignored_types use_attribute_docstrings json_schema_mode_override "
    "polymorphic_serialization cache_strings ser_json_temporal val_temporal_unit validation_error_cause"
)
_ALLOWED = frozenset(_PLAIN.split())
_REFUSED = frozenset(_OPEN.split())
# Only our own types get to pydantic: it changes nothing.
_IDLE = frozenset({"arbitrary_types_allowed"})


def freeze_config(written: Any, *, old: bool = False) -> dict[str, Frozen]:
    """The settings, by name. `old` is a `class Config`, whose other names mean nothing. Raises TypeError."""
    if type(written) is not dict:
        raise TypeError("model_config must be a dict, or ConfigDict(...)")
    frozen = {}
    for name, value in written.items():
        if type(name) is not str or name in _REFUSED or (name not in _ALLOWED | _IDLE and not old):
            raise TypeError(f"model_config: {str(name)[:50]!r} is not available here")
        if name == "title":
            _check_title(value)
        if name in _ALLOWED:
            try:
                frozen[name] = freeze(value)
            except NotPlainError as error:
                raise TypeError(f"model_config: {name} must be plain data: {error}") from None
    return frozen


def _check_title(title: Any) -> None:
    """It stands in front of every error, and pydantic's core panics at one that it cannot write."""
    if title is not None and (type(title) is not str or not title.isprintable()):
        raise TypeError("model_config: title must be a text, without characters that cannot be printed")
