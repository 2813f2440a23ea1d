# The operator's image: the package and its pinned dependencies, no compiler, no root.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY controller ./controller
RUN python -m venv /opt/compositescaler && /opt/compositescaler/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.13-slim
COPY --from=build /opt/compositescaler /opt/compositescaler
USER 65532:65532
ENTRYPOINT ["/opt/compositescaler/bin/compositescaler"]
