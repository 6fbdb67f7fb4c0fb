# One image, two cores are enough: the bundled model needs no GPU and no network.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY embedder embedder
COPY indexes indexes
COPY kindred kindred
COPY service service
RUN python -m venv /opt/kindred \
 && /opt/kindred/bin/pip install --no-cache-dir --constraint requirements.lock '.[milvus,tracing]'

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 kindred \
 && mkdir /data /snapshots /var/cache/kindred && chown kindred /data /snapshots /var/cache/kindred
COPY --from=build /opt/kindred /opt/kindred
ENV PATH=/opt/kindred/bin:$PATH KINDRED_DATA=/data/collections KINDRED_CACHE=/var/cache/kindred
USER kindred
# No container derives from the bundled weights what this has derived. Building takes 10 s longer,
# and on a CPU without bfloat16 containers on CPUs with it derive theirs all the same.
RUN kindred models warm kindred-mini
VOLUME /data
EXPOSE 8000 50051
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD \
  python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=8)"
# A container's own loopback can't be reached from outside; publish the ports on the host's loopback only.
CMD ["kindred", "serve", "--host", "0.0.0.0", "--allow-anonymous"]
