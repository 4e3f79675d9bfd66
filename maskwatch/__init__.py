"""The shared kernel of Maskwatch: settings, value types, wire format, broker, errors, logging, metrics, verb lookup."""

__version__ = "0.1.0"
