"""The version of this package: setup.cfg and `refnum.__version__` read it here."""

__version__ = "0.1.0"
