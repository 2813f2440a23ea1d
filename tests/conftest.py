"""Fixtures for every test."""

pytest_plugins = ["tests.realparts.pytest_plugin"]
