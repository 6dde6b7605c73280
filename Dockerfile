# An image that holds one static binary. Build it with `docker build -t inject .`, and use it as
# a base, or copy the binary: COPY --from=inject /bin/inject /bin/inject
# It builds where it runs, so amd64 and arm64 alike (`docker buildx build --platform …`).
ARG BASE=docker.io/library/rust:1-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY . .
# The host's triple is in the path, because `.cargo/config.toml` names the target.
RUN cargo build --release --locked \
    && mkdir -p /image/bin \
    && cp target/*/release/inject /image/bin/inject

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="inject" \
      org.opencontainers.image.description="Gets an organization's secrets into the programs that need them, at deploy time" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 65532:65532
ENTRYPOINT ["inject", "--"]
