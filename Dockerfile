# Coffer's image: Node, the compiled program and its runtime packages, on Debian without a shell.
#
#   docker build -t coffer .
#
# No container engine has built it yet. `npm run test:compose` runs its steps in an empty folder, and runs the result.
#
# Base images are pinned by digest. The digest of node is from the records of Docker's official images
# (docker-library/repo-info). Distroless publishes no such records; its digest is from public Dockerfiles. Neither was
# compared with a registry. A wrong digest fails the build and cannot select another image. This prints the digest of a tag:
#
#   docker buildx imagetools inspect --format '{{.Manifest.Digest}}' node:24.21.0-trixie

# All stages have the same release of Node, because SQLite is compiled for it. Node 24 gets security fixes until April 2028.
# Node 26 needs libatomic, which the base of the last stage does not have (docs/decisions/0014-node-lines.md).
# An engine ignores the tag if there is a digest: change both.
ARG NODE=24.21.0-trixie@sha256:acd6b1bc507facfd69a145935a7409a8686d2faf57dfc3f242de642c8e0b2b07
# "debug-nonroot" is the same base with a shell, for jobs of more than one step.
ARG DISTROLESS=nonroot@sha256:54df941ed0d06a1bd95ef5e0ce391fd8d9f94b64782dc9a60062727849ee3f97

# The runtime packages. This stage has the same release of Debian as the image, because it compiles SQLite against the C
# library of that release.
FROM node:${NODE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/native.mjs scripts/build-lock.mjs scripts/node-release.mjs scripts/object-wrap.h scripts/
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
RUN node scripts/native.mjs
# Removes SQLite's source, the compiler's intermediate files, and sodium for other platforms: two thirds of all packages.
RUN cd node_modules/better-sqlite3 && mv build/Release/better_sqlite3.node . && rm -rf deps src build && \
    mkdir -p build/Release && mv better_sqlite3.node build/Release/
RUN cd node_modules/sodium-native/prebuilds && mkdir ../kept && mv "linux-$(node -p process.arch)" ../kept/ && \
    rm -rf ./* && mv ../kept/* . && rmdir ../kept
# koffi's package has a binary for each C library. That of musl can't be loaded in this image.
RUN rm -r node_modules/@koromix/koffi-linux-*/musl_*
# At its first use, a named volume gets the owner and the mode of the folder that it is mounted on.
RUN mkdir -p /volumes/var/lib/coffer /volumes/etc/coffer/root-key && \
    chmod 700 /volumes/var/lib/coffer /volumes/etc/coffer/root-key

FROM node:${NODE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
RUN npx --no-install tsc -p tsconfig.json --sourceMap false
# For `coffer --version`. The build context has no .git, so pass --build-arg COMMIT="$(git rev-parse HEAD)".
ARG COMMIT=unknown
COPY scripts/commit.mjs scripts/
RUN COMMIT="$COMMIT" node scripts/commit.mjs dist
COPY proto/descriptors.binpb proto/
COPY LICENSE ./
# The files have the modes of the clone. After a clone with a strict umask, the image's user could not read them.
RUN chmod -R a+rX package.json LICENSE proto dist

# Distroless's image cc has the C++ library, which Node needs. Its image nodejs is not used: it contains a Node whose
# release changes while the tag stays the same.
FROM gcr.io/distroless/cc-debian13:${DISTROLESS}
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
COPY --from=packages /app/node_modules /app/node_modules
COPY --from=packages --chown=65532:65532 /volumes/var/lib /var/lib
COPY --from=packages --chown=65532:65532 /volumes/etc/coffer /etc/coffer
COPY --from=build /app/dist/src /app/dist/src
COPY --from=build /app/proto /app/proto
COPY --from=build /app/package.json /app/LICENSE /app/
WORKDIR /app
USER 65532:65532
# The server records here, beside the store, that this Node has passed the probe at the start. The other file systems
# may be read-only.
ENV XDG_CACHE_HOME=/var/lib/coffer
EXPOSE 8553
# SIGUSR1 would open a debugger. docs/benchmark.md has the effect of V8's larger young generation.
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "--max-semi-space-size=64", "/app/dist/src/main.js"]
CMD ["serve"]
# The health check is a client that calls over mTLS with Coffer's own SVID. Set COFFER_SERVER_ID, and either
# SPIFFE_ENDPOINT_SOCKET or COFFER_CERT, COFFER_KEY and COFFER_BUNDLE. The server's own variables begin with COFFER_SERVER_.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["/usr/local/bin/node", "/app/dist/src/main.js", "health"]
