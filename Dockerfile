# syntax=docker/dockerfile:1

FROM python:3.11-slim-bookworm AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/cryomargin
WORKDIR /src
# The libraries change seldom and the service often: two layers.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --no-install-project
COPY service service
RUN uv sync --locked --no-dev --no-editable

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 cryomargin \
    && useradd --uid 10001 --gid cryomargin --no-create-home --home-dir /var/lib/cryomargin --shell /usr/sbin/nologin cryomargin \
    && install --directory --owner=cryomargin --group=cryomargin --mode=0700 /var/lib/cryomargin
COPY --from=build /opt/cryomargin /opt/cryomargin
COPY config/service.toml /etc/cryomargin/service.toml
ENV PATH=/opt/cryomargin/bin:$PATH PYTHONUNBUFFERED=1 CRYOMARGIN_STORAGE__FOLDER=/var/lib/cryomargin MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /var/lib/cryomargin
VOLUME /var/lib/cryomargin
# DICOM and web. Both listen on loopback until the configuration says otherwise.
EXPOSE 11112 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/api/v1/health/ready', timeout=4)"]
ENTRYPOINT ["cryomargin"]
CMD ["run", "--config", "/etc/cryomargin/service.toml"]
