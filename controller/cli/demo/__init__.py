"""The demo: what it records, shows and reports."""

from controller.cli.demo.report import About, render_report, write_report
from controller.cli.demo.samples import DecisionMade, Dimension, Moment, Outlook, Verdict, decisions
from controller.cli.demo.view import LiveView, PlainView, View, view

__all__ = [
    "About",
    "DecisionMade",
    "Dimension",
    "LiveView",
    "Moment",
    "Outlook",
    "PlainView",
    "Verdict",
    "View",
    "decisions",
    "render_report",
    "view",
    "write_report",
]
