# SPDX-License-Identifier: Apache-2.0
# Both images of kelp; EXTRAS says which folders' libraries are in it (the extras of pyproject.toml):
#   docker build --build-arg EXTRAS=components,pipelines --tag kelp-components:dev .    # steps and the audit service
#   docker build --build-arg EXTRAS=serving --tag kelp-serving:dev .                    # the model server
# A release passes PYTHON_IMAGE by digest and runs the images by digest; PIP_INDEX_URL names a mirror if there is one.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG EXTRAS=components,pipelines
ARG PIP_INDEX_URL
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# For serving/trees/_kernel.c; the compiler stays behind in this stage.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/kelp
# The libraries come before kelp's own code, so that a change of the code does not install them again.
COPY constraints.txt pyproject.toml ./
RUN python3 -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*project['dependencies'], *(name for extra in '${EXTRAS}'.split(',') for name in project['optional-dependencies'][extra]), sep='\n')" > requirements.txt \
 && /opt/kelp/bin/pip install --requirement requirements.txt
COPY . .
RUN /opt/kelp/bin/pip install --no-deps . && /opt/kelp/bin/pip uninstall --yes pip

# No root, no pip, no compiler; nothing is written outside /tmp.
FROM ${PYTHON_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title=kelp \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.revision=${REVISION}
# The base brings a pip of its own, on the same PATH as its Python.
RUN python3 -B -m pip uninstall --yes --root-user-action ignore pip setuptools wheel
COPY --from=build /opt/kelp /opt/kelp
ENV PATH=/opt/kelp/bin:/usr/local/bin:/usr/bin:/bin \
    KELP_HOME=/etc/kelp/home.toml \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
CMD ["kelp", "--help"]
