# An image that holds one static binary, for amd64 and arm64:
#   docker build -t inject .
#   docker buildx build --platform linux/amd64,linux/arm64 -t inject .
# Use it as it is, as a base, or copy the binary: COPY --from=inject /bin/inject /bin/inject
# contrib/docker/README.md has more. The builder is Debian's Rust; BASE names another one, such as
# docker.io/library/rust:1-alpine with a C compiler in it, which makes it musl.
ARG BASE=docker.io/library/rust:1-slim-bookworm

# It compiles where the builder runs, for whichever architecture is asked for: nothing is emulated.
FROM --platform=$BUILDPLATFORM ${BASE} AS build
ARG TARGETARCH
ARG PROFILE=release
WORKDIR /src
COPY . .
RUN PROFILE="$PROFILE" contrib/docker/build "$TARGETARCH" /image \
    && mkdir -p /image/var/lib/inject && chmod 0700 /image/var/lib/inject

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="inject" \
      org.opencontainers.image.description="Gets an organization's secrets into the programs that need them, at deploy time" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /image/bin/ /bin/
# A store's folder, which a fresh volume takes its owner and mode from.
COPY --from=build --chown=65532:65532 /image/var/lib/inject/ /var/lib/inject/
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    INJECT_DATA=/var/lib/inject
USER 65532:65532
ENTRYPOINT ["inject", "--"]
