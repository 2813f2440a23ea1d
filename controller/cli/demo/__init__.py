"""The demo: what it records, shows and reports."""

from controller.cli.demo.samples import DecisionMade, Dimension, Moment, Verdict, decisions
from controller.cli.demo.view import LiveView, PlainView, View, view

__all__ = ["DecisionMade", "Dimension", "LiveView", "Moment", "PlainView", "Verdict", "View", "decisions", "view"]
