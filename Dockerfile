# One image for every service of compose.yaml, and for sites that run one container (README, In containers).
FROM python:3.11-slim-bookworm

# The index with the build without CUDA, some 200 MB instead of gigabytes: the README says where its address is told.
ARG TORCH_INDEX=

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.txt .
# hadolint ignore=DL3013
RUN torch="$(grep '^torch==' requirements.txt)" \
    && pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$torch" \
    && pip install --no-cache-dir -r requirements.txt
COPY app.py ./
COPY .streamlit .streamlit
COPY assets assets
COPY pages pages
COPY vae_core vae_core

# Nothing here runs as root; what it writes is below these two.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin vae \
    && install -d -o vae -g vae -m 700 /runs /certificates \
    && python -m compileall -q app.py pages vae_core
USER 10001
ENV HOME=/runs VAE_HOME=/runs PYTHONPATH=/app PYTHONUNBUFFERED=1 PORT=8501
VOLUME ["/runs"]
EXPOSE 8501

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/_stcore/health', timeout=4)"]

# One page process at $PORT, which trains in this container. `exec`, so that it hears when the container is to end.
CMD ["sh", "-c", "exec python -m streamlit run app.py --server.address 0.0.0.0 --server.port \"$PORT\""]
