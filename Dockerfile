# One image for the experiment and the orchestrator; `make image` builds it with version and commit filled in.
#   docker build -t bloodcell:cpu .
#   docker build -t bloodcell:gpu --build-arg EXTRA=gpu .
# Both of Docker's builders can build it: so no `RUN --mount` and no heredoc.

# A base with glibc, CA certificates and Python 3.11 or newer with its module venv. Its pip.conf and certificates
# are those the build uses: that is where a mirror behind a private CA belongs.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
ARG EXTRA=cpu
# pip has an environment of its own, so that the one that is shipped never holds it.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/bloodcell
ENV PIP="/opt/pip/bin/pip --python /opt/bloodcell/bin/python --disable-pip-version-check --no-cache-dir"
WORKDIR /build
COPY requirements-${EXTRA}.txt ./
# A constraint too, or older pips pass over the pin of a package that is asked for with extras (sqlalchemy[asyncio]).
# Only wheels: nothing of these is compiled. TensorFlow's headers, which go aside, and these test suites are 0.4 GB.
RUN ${PIP} install --quiet --require-hashes --only-binary :all: -r requirements-${EXTRA}.txt -c requirements-${EXTRA}.txt \
    && cd /opt/bloodcell/lib/python3*/site-packages \
    && mv tensorflow/include /opt/tensorflow-headers \
    && find numpy pandas pyarrow scipy sklearn matplotlib -type d -name tests -prune -exec rm -r {} +

FROM dependencies AS project
ARG EXTRA=cpu
# The kernel for CPUs is compiled, where the base has a C++ compiler or Debian's packages; else the image does without.
RUN cd /opt/bloodcell/lib/python3*/site-packages/tensorflow && mv /opt/tensorflow-headers include \
    && if [ "${EXTRA}" = cpu ] && ! command -v g++; then \
      { apt-get update -qq && apt-get install -qq -y --no-install-recommends g++ libc6-dev >/dev/null; } \
        || echo 'no C++ compiler: the image will lack the kernel, see `bloodcell doctor`'; \
    fi
COPY pyproject.toml setup.py README.md LICENSE ./
COPY bloodcell bloodcell
COPY tasks tasks
COPY flows flows
COPY deployments deployments
# Red Hat's Pythons put what is compiled into lib64, which is a link to lib in the environment that all goes to.
RUN ${PIP} install --quiet --no-index --no-deps --no-build-isolation --prefix /project . \
    && if [ -d /project/lib64 ]; then mkdir -p /project/lib && cp -a /project/lib64/. /project/lib/ && rm -r /project/lib64; fi

FROM ${BASE}
# The base's own pip goes, unless it is part of the distribution.
RUN if python3 -m pip --version; then \
      python3 -m pip uninstall --yes --quiet --break-system-packages --root-user-action=ignore pip setuptools wheel; \
    fi \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp bloodcell \
    && install --directory --owner=bloodcell --group=bloodcell /cache
COPY --from=dependencies /opt/bloodcell /opt/bloodcell
COPY --from=project /project /opt/bloodcell
WORKDIR /app
COPY deployments deployments
# Of a read-only container, /tmp and /cache can be written to; a volume on /cache keeps what was downloaded or compiled.
ENV PATH=/opt/bloodcell/bin:$PATH \
    HOME=/tmp \
    BLOODCELL_CACHE=/cache \
    KERAS_HOME=/cache/keras \
    CUDA_CACHE_PATH=/cache/cuda \
    PYTHONUNBUFFERED=1
USER 10001:10001
CMD ["bloodcell", "--help"]

# Last, for they differ in every build.
ARG VERSION=
ARG COMMIT=
ENV BLOODCELL_GIT_COMMIT=${COMMIT}
LABEL org.opencontainers.image.title="bloodcell" \
      org.opencontainers.image.description="Fine-tune image classifiers over a grid of configurations" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
