"""The running operator: kopf wiring, the cycle, what it remembers and what it writes."""
