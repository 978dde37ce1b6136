"""What all services share."""

__version__ = "0.1.0"
"""Said here, and not asked of the installed package: in a container there is only the source."""
