import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServeConfig } from "../../../src/config/serve-config.ts";
import { ConfigurationError, type GivenFlags } from "../../../src/config/option.ts";
import { readServeConfig } from "../../../src/config/read-serve-config.ts";
import { serveOptions } from "../../../src/config/serve-options.ts";
import { connectionOptions } from "../../../src/cli/connection-options.ts";

const MACHINE = { total: 1000, constrained: 0, cpus: 2 };

const COMPLETE: GivenFlags = {
  "--data": "data",
  "--root-key": "root.key",
  "--cert": "a.pem",
  "--key": "a.key",
  "--bundle": ["example.org=bundle.pem"],
};

function read(flags: GivenFlags = {}, environment: Record<string, string> = {}, machine = MACHINE) {
  return readServeConfig({ ...COMPLETE, ...flags }, environment, machine);
}

function files({ identity }: ServeConfig) {
  assert.ok(identity.kind === "files");
  return identity.files;
}

/** The problems of a configuration; an empty list if there are none. */
function problems(flags: GivenFlags, environment: Record<string, string> = {}): readonly string[] {
  try {
    readServeConfig(flags, environment, MACHINE);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
}

describe("the configuration of the server", () => {
  // With only the required options, all others have the defaults of the table.
  it("has defaults", () => {
    assert.deepEqual(read(), {
      listen: [{ kind: "tcp", host: "127.0.0.1", port: 8553 }],
      opsListen: { host: "127.0.0.1", port: 9553 },
      maxStoreBytes: 750,
      handshakes: { connections: 10_000, inProgress: 1024, perSecond: 200 },
      budgets: { bytes: 64 * 1024 * 1024, unread: 1024, calls: 8192 },
      threads: 2,
      logLevel: "info",
      store: { kind: "sqlite", data: "data", rootKey: "root.key" },
      lockWaitMs: 0,
      identity: {
        kind: "files",
        files: { cert: "a.pem", key: "a.key", bundles: new Map([["example.org", "bundle.pem"]]) },
        because: "--cert, --key, --bundle are set",
      },
      startupTimeoutMs: undefined,
      shutdownDelayMs: 0,
      policy: undefined,
      admins: [],
      opsHosts: [],
      maxContentBytes: 1024 * 1024,
      tombstoneRetentionMs: 90 * 24 * 3_600_000,
      maxRequestIds: 100_000,
      allowDebug: false,
    });
  });

  // A flag overrides its variable, a variable overrides the default, and an empty variable counts as unset.
  it("takes flags, then variables, then defaults", () => {
    const environment = { COFFER_SERVER_LOG_LEVEL: "debug", COFFER_SERVER_POLICY: "", COFFER_SERVER_CERT: "b.pem" };
    const config = read({ "--cert": "a.pem" }, environment);
    assert.deepEqual([config.logLevel, config.policy, files(config).cert], ["debug", undefined, "a.pem"]);
    assert.equal(read({ "--log-level": "warn" }, environment).logLevel, "warn");
    assert.equal(files(read({ "--cert": undefined }, environment)).cert, "b.pem");
  });

  // The variable of a repeatable option is a comma-separated list.
  it("reads lists", () => {
    const config = read(
      { "--bundle": undefined, "--listen": ["127.0.0.1:1", "unix:/run/coffer.sock"], "--socket-mode": "600" },
      {
        COFFER_SERVER_BUNDLE: "a.test=a.pem, b.test=b=.pem",
        COFFER_SERVER_ADMIN: "spiffe://a.test/x,spiffe://b.test/y",
        COFFER_SERVER_LISTEN: "[::1]:2",
      },
    );
    assert.deepEqual(
      [...files(config).bundles],
      [
        ["a.test", "a.pem"],
        ["b.test", "b=.pem"],
      ],
    );
    assert.deepEqual(config.admins.map(String), ["spiffe://a.test/x", "spiffe://b.test/y"]);
    assert.deepEqual(config.listen, [
      { kind: "tcp", host: "127.0.0.1", port: 1 },
      { kind: "unix", path: "/run/coffer.sock", mode: 0o600 },
    ]);
    assert.deepEqual(read({}, { COFFER_SERVER_LISTEN: "[::1]:2,unix:x" }).listen, [
      { kind: "tcp", host: "::1", port: 2 },
      { kind: "unix", path: "x", mode: 0o660 },
    ]);
  });

  // A switch is off by default; its variable is true or false.
  it("reads switches", () => {
    assert.equal(read({ "--allow-debug": "true" }).allowDebug, true);
    assert.equal(read({}, { COFFER_SERVER_ALLOW_DEBUG: "true" }).allowDebug, true);
    assert.equal(read({}, { COFFER_SERVER_ALLOW_DEBUG: "false" }).allowDebug, false);
    assert.deepEqual(problems(COMPLETE, { COFFER_SERVER_ALLOW_DEBUG: "yes" }), [
      'COFFER_SERVER_ALLOW_DEBUG: invalid value "yes": expected one of true, false',
    ]);
  });

  it("disables the ops listener on request", () => {
    assert.equal(read({ "--ops-listen": "off" }).opsListen, undefined);
    assert.deepEqual(read({ "--ops-listen": "0.0.0.0:1" }).opsListen, { host: "0.0.0.0", port: 1 });
  });

  // The available memory is the limit of the cgroup or the machine's memory, whichever is smaller. A cgroup without a
  // limit reports 0 or a huge number.
  it("limits the store to three quarters of the available memory by default", () => {
    for (const [constrained, expected] of [
      [0, 750],
      [400, 300],
      [2 ** 64, 750],
    ] as const) {
      assert.equal(read({}, {}, { ...MACHINE, constrained }).maxStoreBytes, expected);
    }
    assert.equal(read({ "--max-store-bytes": "2GiB" }).maxStoreBytes, 2 * 1024 ** 3);
  });

  it("limits tombstones and request ids", () => {
    const config = read({ "--tombstone-retention": "3650d", "--max-request-ids": "1" });
    assert.deepEqual([config.tombstoneRetentionMs, config.maxRequestIds], [3650 * 24 * 3_600_000, 1]);
    assert.equal(read({ "--tombstone-retention": "0s" }).tombstoneRetentionMs, 0);
    assert.deepEqual(problems({ ...COMPLETE, "--tombstone-retention": "3651d", "--max-request-ids": "0" }), [
      "--tombstone-retention: 3651d is more than the maximum of 3650d",
      '--max-request-ids: invalid number "0": expected a whole number from 1 to 999999999',
    ]);
  });

  it("limits unauthenticated clients", () => {
    const { handshakes } = read(
      { "--max-connections": "5", "--handshake-rate": "7" },
      { COFFER_SERVER_MAX_HANDSHAKES: "6" },
    );
    assert.deepEqual(handshakes, { connections: 5, inProgress: 6, perSecond: 7 });
    assert.deepEqual(problems({ ...COMPLETE, "--max-handshakes": "0" }), [
      '--max-handshakes: invalid number "0": expected a whole number from 1 to 999999999',
    ]);
  });

  // A container with many CPUs would otherwise get a thread for each, with its own memory.
  it("has a thread for each CPU by default, and at most four", () => {
    for (const [cpus, expected] of [
      [1, 1],
      [3, 3],
      [4, 4],
      [96, 4],
    ] as const) {
      assert.equal(read({}, {}, { ...MACHINE, cpus }).threads, expected);
    }
    assert.equal(read({ "--threads": "64" }).threads, 64);
    assert.equal(read({}, { COFFER_SERVER_THREADS: "1" }).threads, 1);
    for (const wrong of ["0", "65", "1.5", "auto"]) {
      assert.deepEqual(problems({ ...COMPLETE, "--threads": wrong }), [
        `--threads: invalid number ${JSON.stringify(wrong)}: expected a whole number from 1 to 64`,
      ]);
    }
  });

  it("stores nothing on disk on request, and then accepts no files for the store", () => {
    const memory = { ...COMPLETE, "--data": undefined, "--root-key": undefined, "--store": "memory" };
    assert.deepEqual(readServeConfig(memory, {}, MACHINE).store, { kind: "memory" });
    assert.deepEqual(problems({ ...COMPLETE, "--store": "memory" }), [
      "--data can't be used with --store memory, which stores nothing on disk",
      "--root-key can't be used with --store memory, which stores nothing on disk",
    ]);
  });

  // If the key were taken as a path, the error that this file does not exist and the first line of the log would
  // contain the key.
  it("refuses a key instead of its file, and the problem does not contain the key", () => {
    const key = "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----";
    const expected = "expected the path of a file, not the text of a key or a certificate";
    const { "--key": _key, "--root-key": _rootKey, ...flags } = COMPLETE;
    for (const rootKey of ["0f".repeat(32), Buffer.alloc(32, 7).toString("base64")]) {
      const environment = { COFFER_SERVER_KEY: key, COFFER_SERVER_ROOT_KEY: rootKey };
      assert.deepEqual(problems(flags, environment), [
        `COFFER_SERVER_ROOT_KEY: ${expected}`,
        `COFFER_SERVER_KEY: ${expected}`,
      ]);
    }
    assert.deepEqual(problems({ ...COMPLETE, "--cert": key }), [`--cert: ${expected}`]);
    // The control: a path with the same characters.
    assert.deepEqual(problems({ ...COMPLETE, "--root-key": `./${"0f".repeat(32)}` }), []);
  });

  // The operator sees all problems at once, each with the name of its flag or variable.
  it("reports all problems together", () => {
    const flags: GivenFlags = {
      "--listen": ["nowhere", "127.0.0.1:70000", "[::1]:1", "[::1]:1"],
      "--store": "etcd",
      "--bundle": ["example.org", "Example.org=x", "a.test=1", "a.test=2"],
      "--admin": ["spiffe://example.org/"],
      "--ops-listen": "unix:x",
      "--max-content-bytes": "4MiB",
    };
    const environment = {
      COFFER_SERVER_LOG_LEVEL: "loud",
      COFFER_SERVER_SOCKET_MODE: "9",
      COFFER_SERVER_MAX_STORE_BYTES: "1 TB",
    };
    assert.deepEqual(problems(flags, environment), [
      'COFFER_SERVER_SOCKET_MODE: invalid mode "9": expected three octal digits, such as 660',
      '--listen: invalid address "nowhere": expected HOST:PORT, [IPV6]:PORT or unix:PATH',
      '--listen: invalid address "127.0.0.1:70000": expected HOST:PORT, [IPV6]:PORT or unix:PATH',
      "--listen: [::1]:1 is set twice",
      "--ops-listen: expected HOST:PORT or off",
      'COFFER_SERVER_MAX_STORE_BYTES: invalid size "1 TB": expected bytes, or a number with KiB, MiB or GiB',
      'COFFER_SERVER_LOG_LEVEL: invalid value "loud": expected one of error, warn, info, debug',
      '--store: invalid value "etcd": expected one of sqlite, memory',
      "--data (or COFFER_SERVER_DATA) is required: the data folder, for `--store sqlite`",
      "--root-key (or COFFER_SERVER_ROOT_KEY) is required: the key that encrypts the store, for `--store sqlite`; created by `coffer root-key`",
      "--cert (or COFFER_SERVER_CERT) is required with --bundle: " +
        "the server's X.509-SVID with its intermediates; without files, the Workload API is used",
      "--key (or COFFER_SERVER_KEY) is required with --bundle: the private key of the SVID",
      '--bundle: invalid bundle "example.org": expected <trust-domain>=<pem>',
      '--bundle: invalid trust domain "Example.org": it contains "E"; allowed are a-z 0-9 . _ -',
      "--bundle: a.test is set twice",
      '--admin: invalid SPIFFE ID "spiffe://example.org/": it ends with a slash',
      "--max-content-bytes: 4MiB is more than the maximum of 3 MiB",
    ]);
    assert.deepEqual(problems(COMPLETE), []);
  });
});

describe("the options", () => {
  // For a Kubernetes Service named coffer, Kubernetes sets COFFER_PORT, COFFER_SERVICE_HOST and similar variables.
  it("have no variable that Kubernetes would set", () => {
    for (const { variable } of [...Object.values(serveOptions), ...Object.values(connectionOptions)]) {
      assert.match(variable, /^COFFER_[A-Z_]+$/);
      assert.doesNotMatch(variable, /_PORT$|_SERVICE_/);
    }
  });
});
