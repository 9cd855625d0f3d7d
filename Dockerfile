# A static binary in an otherwise empty image.
#
#   docker build -t mock-sse .
#   docker run --rm -p 4043:4043 mock-sse
#   docker run --rm -p 4043:4043 -v ./my-scenario:/scenarios:ro -v mock-sse-certs:/certs mock-sse
#
# Any image with Rust's musl target and a C compiler for it can build: --build-arg BUILDER=IMAGE.
ARG BUILDER=rust:1.95-alpine

FROM ${BUILDER} AS build
WORKDIR /build
COPY . .
# The caches keep crates and their builds. The sources are touched because cargo goes by time stamps,
# and these may be older than a cached build of other sources. The certificates' folder is as open as
# /tmp: with --user, it is another user than the image's who makes them. Where crates lie must not be
# seen in the binary; what it is made of is told beside it (CycloneDX). Packed relocations need musl 1.2.4, which
# Rust brings along from 1.93 on.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    set -eu; \
    target="$(uname -m)-unknown-linux-musl"; \
    [ -d "$(rustc --print target-libdir --target "$target")" ] || rustup target add "$target"; \
    touch build.rs src/*.rs; \
    export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-/usr/local/cargo}=/cargo -Clink-arg=-Wl,-z,pack-relative-relocs"; \
    cargo build --locked --release --target "$target" --target-dir target --bin mock-sse; \
    mkdir -p /image/bin /image/volumes/certs; \
    cp "target/$target/release/mock-sse" /image/bin/; \
    scripts/sbom --target "$target" >/image/sbom.cdx.json; \
    chmod 1777 /image/volumes/certs

FROM scratch
LABEL org.opencontainers.image.title="mock-sse" \
      org.opencontainers.image.description="A scriptable, scenario-driven mock Server-Sent Events server" \
      org.opencontainers.image.source="https://github.com/mock-sse/mock-sse" \
      org.opencontainers.image.documentation="https://github.com/mock-sse/mock-sse#readme" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image/bin/mock-sse /mock-sse
COPY --from=build /image/sbom.cdx.json /sbom.cdx.json
COPY scenarios/alphabet.yaml /scenarios/alphabet.yaml
# A fresh volume takes over the owner of the folder it is mounted on.
COPY --from=build --chown=65534:65534 /image/volumes/ /

USER 65534:65534
# Streams get less time to end than the ten seconds after which `docker stop` kills.
ENV PORT=4043 \
    MOCK_SSE_HOST=0.0.0.0 \
    MOCK_SSE_SCENARIO=/scenarios \
    MOCK_SSE_CERTS_DIR=/certs \
    MOCK_SSE_DRAIN=8s
EXPOSE 4043
# Only the certificates: a volume at /scenarios would keep old scenarios beyond an update of the image.
VOLUME ["/certs"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/mock-sse", "health"]
ENTRYPOINT ["/mock-sse"]
