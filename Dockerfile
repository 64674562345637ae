# One image with both programs and nothing else: no shell, no package manager, no root.
#
#   docker build --tag ironkv .                          compiles here
#   docker build --tag ironkv --build-arg ROOT=prebuilt --file Dockerfile FOLDER
#                                                        takes FOLDER/dist, what .ci/image-root laid
#                                                        out from programs compiled before
#
# Needs BuildKit, which skips the stage that is not asked for.

ARG ROOT=compile

FROM rust:1-bookworm AS compile
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package ironkv --package ironkv-operator \
    && .ci/image-root target/release /dist

FROM scratch AS prebuilt
COPY dist /dist

FROM ${ROOT} AS root

FROM scratch
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="IronKV" \
      org.opencontainers.image.description="A Redis-compatible store that never loses an acknowledged write, and its operator" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/ironkv/ironkv" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=root /dist/files/ /
# A volume that is made where this folder is gets its owner.
COPY --from=root --chown=65532:65532 /dist/data/ /data/
WORKDIR /data
USER 65532:65532
EXPOSE 6379 6390 6380 8080
ENTRYPOINT ["/usr/local/bin/ironkv"]
