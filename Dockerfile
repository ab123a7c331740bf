# Coffer's image: Node, the compiled program and the packages that it runs with, on Debian without a shell.
#
#   docker build -t coffer .
#
# No container engine has built it yet: `npm run test:compose` does its steps one by one in a bare folder and runs what
# comes out. Tags are pinned to a release, not to a digest; pin digests where you build.

# One release of Node in all stages: what SQLite was compiled for is what runs. Not 24, which
# a stranger's certificate can end (docs/decisions/0005-own-svid-verifier.md), and 22 is looked after for longer than 20.
ARG NODE=22.23.3
# "debug-nonroot" is the same base with a shell, for jobs of more than one step.
ARG DISTROLESS=nonroot

# The packages that run. Debian is the same release as below: SQLite may be compiled here, against its C library.
FROM node:${NODE}-trixie AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/native.mjs scripts/alone.mjs scripts/node-release.mjs scripts/object-wrap.h scripts/
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
RUN node scripts/native.mjs
# SQLite's source and leftovers of the compiler, and sodium for other machines: two thirds of all packages.
RUN cd node_modules/better-sqlite3 && mv build/Release/better_sqlite3.node . && rm -rf deps src build && \
    mkdir -p build/Release && mv better_sqlite3.node build/Release/
RUN cd node_modules/sodium-native/prebuilds && mkdir ../kept && mv "linux-$(node -p process.arch)" ../kept/ && \
    rm -rf ./* && mv ../kept/* . && rmdir ../kept
# A named volume takes over the owner and the mode of the folder that it is mounted on, at its first use.
RUN mkdir -p /volumes/var/lib/coffer /volumes/etc/coffer/root-key && \
    chmod 700 /volumes/var/lib/coffer /volumes/etc/coffer/root-key

FROM node:${NODE}-trixie AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
RUN npx --no-install tsc -p tsconfig.json --sourceMap false
# For `coffer --version`; the builder is sent no .git: --build-arg COMMIT="$(git rev-parse HEAD)".
ARG COMMIT=unknown
COPY scripts/commit.mjs scripts/
RUN COMMIT="$COMMIT" node scripts/commit.mjs dist
COPY proto/descriptors.binpb proto/
COPY LICENSE ./
# The modes of a clone come along, and with a strict umask they would shut out who runs it.
RUN chmod -R a+rX package.json LICENSE proto dist

# cc has the C++ library, which Node needs. The nodejs image would bring a Node of its own, by a tag that moves.
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
EXPOSE 8553
# SIGUSR1 would open a debugger; the larger space for young objects is explained in the README, "Measured".
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "--max-semi-space-size=64", "/app/dist/src/main.js"]
CMD ["serve"]
# A client that asks as Coffer itself, over mTLS: set COFFER_SERVER_ID, and SPIFFE_ENDPOINT_SOCKET or COFFER_CERT,
# COFFER_KEY and COFFER_BUNDLE. The server's own variables begin with COFFER_SERVER_.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["/usr/local/bin/node", "/app/dist/src/main.js", "health"]
