"""Real parts for tests: a Kubernetes control plane and a Prometheus server, compiled from pinned sources.

`parts` knows which binaries exist and where they lie, `build` compiles what is lacking, `controlplane` and
`prometheus` run them, `pytest_plugin` hands them to tests. Nothing here is imported by the product, and no prebuilt
binary is downloaded.
"""
