"""`compositescaler simulate`: a load, the policies that are to bear it, and what became of them as a table, JSON or a page."""

from controller.cli.simulate.command import known, simulate
from controller.cli.simulate.request import BadRequest, Request, Stretch

__all__ = ["BadRequest", "Request", "Stretch", "known", "simulate"]
