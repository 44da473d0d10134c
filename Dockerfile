# One image for every service and for the command line: docker-compose.yml says what each container runs.
FROM rust:1-trixie AS build
WORKDIR /src
COPY . .
# Functions keep their names for backtraces; line tables stay out of the image.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
# Cargo goes by times. The cache may hold what another checkout made, later than these files are: all of them are new.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --locked --release --package portcullis \
    && cp target/release/portcullis /usr/local/bin/portcullis

FROM debian:trixie-slim
COPY --from=build /usr/local/bin/portcullis /usr/local/bin/portcullis
# Whom the core trusts when it fetches the keys of identity providers.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["portcullis"]
