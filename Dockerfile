# One image, three roles: `docker run seckill gateway …`, `… writer`, `… admin`.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md ./
COPY gateway gateway
COPY admin admin
COPY lua lua
# The wheel and all it needs, so that the second stage neither compiles nor downloads.
RUN pip wheel --no-cache-dir --disable-pip-version-check --wheel-dir /wheels '.[postgres]'

FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin seckill \
    && install --directory --owner seckill --group seckill --mode 0700 /data
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
        --no-index --find-links /wheels 'seckill[postgres]'
USER seckill
WORKDIR /data
EXPOSE 8000 8001 9464
# Looks at the command of process 1 to know which role it is.
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 CMD ["python", "-P", "-m", "admin.health"]
ENTRYPOINT ["seckill"]
CMD ["gateway", "--host", "0.0.0.0"]
