# One image for every service; which one a container is, its command says.

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements/uv.lock requirements/run.lock requirements/
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/uv.lock \
    && python -m venv --without-pip /opt/venv \
    && uv pip sync --no-cache --python /opt/venv/bin/python --require-hashes --compile-bytecode requirements/run.lock
COPY shared /opt/shoal/shared
COPY services /opt/shoal/services
COPY cli /opt/shoal/cli
COPY deploy/ready.py LICENSE /opt/shoal/
RUN python -m compileall -q /opt/shoal

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Shoal" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin shoal
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/shoal /opt/shoal
# The code is imported from here, and belongs to root: a service cannot change what it is.
WORKDIR /opt/shoal
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SHOAL_LOG_FORMAT=json \
    SHOAL_HEALTH_HOST=0.0.0.0 \
    SHOAL_HEALTH_PORT=9100 \
    SHOAL_API_HOST=0.0.0.0 \
    SHOAL_API_PORT=8000 \
    SHOAL_TRIGGERS_HOST=0.0.0.0 \
    SHOAL_TRIGGERS_PORT=8001
USER 10001:10001
EXPOSE 8000 8001 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-I", "ready.py"]
CMD ["python", "-m", "services.api"]
