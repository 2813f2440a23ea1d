"""The evaluation: every policy on every trace and scenario, the tables and pictures of docs/evaluation.md.

Run with `make evaluation TRACES=DIR`. Nothing here decides anything: the law is the operator's own code, the rivals and the plant are those
of `compositescaler simulate`.
"""
