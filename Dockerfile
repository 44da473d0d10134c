# One image for every service and for the command line: docker-compose.yml says what each container runs.
FROM rust:1-trixie AS build
WORKDIR /src
COPY . .
# Line tables would be three quarters of the binary; names of functions stay for backtraces.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package portcullis \
    && cp target/release/portcullis /usr/local/bin/portcullis

FROM debian:trixie-slim
COPY --from=build /usr/local/bin/portcullis /usr/local/bin/portcullis
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["portcullis"]
