"""Replayable random bits."""
