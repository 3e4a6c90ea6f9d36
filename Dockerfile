# drugmon in a container: docker build -t drugmon . (CPUs), or with --build-arg DEVICE=cuda (GPUs).
# Run it with a read-only root: docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 drugmon
ARG PYTHON=3.11
FROM python:${PYTHON}-slim AS build
ARG DEVICE=cpu
# A C compiler makes scoring on CPUs with AMX a third faster. Debian keeps no version for long.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python -m venv /opt/drugmon \
    && if [ "$DEVICE" = cpu ]; then \
         /opt/drugmon/bin/pip install --no-cache-dir -c constraints.txt \
           --index-url https://download.pytorch.org/whl/cpu torch; \
       fi \
    && /opt/drugmon/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin drugmon
COPY --from=build /opt/drugmon /opt/drugmon
ENV PATH=/opt/drugmon/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1
USER 10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["drugmon"]
CMD ["serve", "--host", "0.0.0.0"]
