"""What things cost: each module measures one part and prints its figures; run with `python -m benchmarks.NAME`."""
