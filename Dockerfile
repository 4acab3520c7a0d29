# The image of every Ray pod: head, workers, jobs. Build:
# docker build --build-arg RAYGATE_CODE_VERSION=$(git describe --always --dirty --abbrev=40 --exclude='*') \
#     -t raygate/raygate:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN pip install uv==0.13.8 hatchling==1.31.0 && python -m venv /opt/raygate
WORKDIR /build
# Dependencies before the code: a change of code reuses this layer. Bytecode now, not at every start of a replica.
COPY requirements.lock ./
RUN uv pip sync --no-cache --require-hashes --compile-bytecode --python /opt/raygate/bin/python requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY deployments deployments
COPY ray_apps ray_apps
COPY training training
COPY monitoring monitoring
# The lock names every dependency; nothing may be resolved anew here.
RUN hatchling build --target wheel \
    && uv pip install --no-cache --no-deps --compile-bytecode --python /opt/raygate/bin/python dist/*.whl

FROM ${PYTHON_IMAGE}
# wget: KubeRay's probe of a worker. libgomp1: LightGBM and XGBoost. procps: for who looks inside.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 procps wget \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 ray \
    && useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash ray
COPY --from=build /opt/raygate /opt/raygate
ENV PATH=/opt/raygate/bin:$PATH \
    PYTHONUNBUFFERED=1
# There is no checkout inside: models that jobs train say that they are made by this commit. Last, for the cache's sake.
ARG RAYGATE_CODE_VERSION=""
ENV RAYGATE_CODE_VERSION=$RAYGATE_CODE_VERSION
# By number: Kubernetes cannot tell that a named user is not root.
USER 1000:1000
WORKDIR /home/ray
# KubeRay gives head and workers their own `ray start`.
CMD ["ray", "--version"]
