"""The command `compositescaler`, also installed as `kubectl compositescaler`."""

from controller.cli.main import main

__all__ = ["main"]
