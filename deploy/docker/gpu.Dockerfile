# syntax=docker/dockerfile:1
# Maskwatch with TensorFlow and its CUDA libraries, for workers on NVIDIA GPUs; the host brings the driver and NVIDIA's
# container toolkit. Build it at the root of the repository:
#
#     docker build -f deploy/docker/gpu.Dockerfile -t maskwatch:0.1.0-gpu .

FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/maskwatch
# TensorFlow and CUDA are gigabytes; this layer is kept until the list changes.
COPY requirements/gpu.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/maskwatch/bin/pip install -r requirements/gpu.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/maskwatch/bin/pip install --no-deps .

FROM python:3.11.13-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Maskwatch (GPU)" \
      org.opencontainers.image.description="Watches many cameras and tells who wears a face mask properly." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# tini passes signals on and collects orphans; the kernel keeps both from a process 1 that doesn't ask for them.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 maskwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin maskwatch \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/maskwatch /var/lib/maskwatch-models /etc/maskwatch
COPY --from=build /opt/maskwatch /opt/maskwatch
ENV PATH=/opt/maskwatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MASKWATCH_STATE_DIR=/var/lib/maskwatch \
    MASKWATCH_MODELS__DIR=/var/lib/maskwatch-models \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,video \
    TF_FORCE_GPU_ALLOW_GROWTH=true \
    TF_CPP_MIN_LOG_LEVEL=1
USER 10001:10001
WORKDIR /tmp
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "maskwatch"]
CMD ["--help"]
