import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientError } from "../../../src/client/client-error.ts";
import { readSettings } from "../../../src/client/client-options.ts";
import { CofferClient } from "../../../src/client/coffer-client.ts";
import { chooseIdentity } from "../../../src/client/identity-option.ts";
import { versionOf } from "../../../src/client/request-fields.ts";
import { contentOf, textOf } from "../../../src/client/values.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";

const SERVER = SpiffeId.parse("spiffe://example.org/coffer");
const FILES = { COFFER_CERT: "a.pem", COFFER_KEY: "a.key", COFFER_BUNDLE: "b.pem" };
const SOCKET = { SPIFFE_ENDPOINT_SOCKET: "unix:///run/agent.sock" };

/** Matches an error with this code and a message that matches `message`. */
function refuses(message: RegExp, code = "INVALID_ARGUMENT") {
  return (error: unknown) => {
    assert.ok(error instanceof ClientError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.equal(error.applied, "no");
    return true;
  };
}

describe("the options of a client", () => {
  it("have defaults", () => {
    const { addresses, serverId, timeoutMs, waitForReady, retry, requestIds } = readSettings({
      address: "localhost:8553",
      serverId: `${SERVER}`,
    });
    assert.deepEqual(addresses, [{ kind: "tcp", host: "localhost", port: 8553 }]);
    assert.ok(serverId.equals(SERVER));
    assert.deepEqual([timeoutMs, waitForReady, retry, requestIds], [10_000, true, true, true]);
  });

  it("accept one address or several, and a SPIFFE ID in each of its forms", () => {
    for (const serverId of [`${SERVER}`, Buffer.from(`${SERVER}`), SERVER]) {
      const { addresses, ...read } = readSettings({ address: ["[::1]:1", "unix:/run/x"], serverId });
      assert.deepEqual(addresses, [
        { kind: "tcp", host: "::1", port: 1 },
        { kind: "unix", path: "/run/x" },
      ]);
      assert.ok(read.serverId.equals(SERVER));
    }
  });

  const serverId = `${SERVER}`;
  const rows: [what: string, options: object | null, message: RegExp][] = [
    ["no address", { serverId }, /^address is required/],
    ["no server ID", { address: "a:1" }, /^serverId is required/],
    [
      "a server ID that is not a SPIFFE ID",
      { address: "a:1", serverId: "coffer" },
      /^serverId is not a SPIFFE ID: it does not begin/,
    ],
    [
      "the SPIFFE ID of a trust domain",
      { address: "a:1", serverId: "spiffe://example.org" },
      /^serverId spiffe:\/\/example.org is that of a trust domain/,
    ],
    ["an invalid address", { address: "here", serverId }, /^address: .*"here"/],
    ["no address in the list", { address: [], serverId }, /^address is an empty list/],
    ["a timeout of zero", { address: "a:1", serverId, timeoutMs: 0 }, /^timeoutMs is 0; expected milliseconds/],
    [
      "an option that does not exist",
      { address: "a:1", serverId, timeout: 5 },
      /^unknown option "timeout"; expected address, serverId, /,
    ],
    [
      "text instead of true or false",
      { address: "a:1", serverId, retry: "false" },
      /^retry is neither true nor false$/,
    ],
    ["options that are not an object", null, /^the options are not an object$/],
    ["a timeout that is not finite", { address: "a:1", serverId, timeoutMs: Number.NaN }, /^timeoutMs is NaN/],
  ];
  for (const [what, options, message] of rows) {
    it(`are refused with ${what}`, () => {
      assert.throws(() => readSettings(options as Parameters<typeof readSettings>[0]), refuses(message));
    });
  }
});

describe("the identity of a client", () => {
  const choose = (environment: Record<string, string>) => chooseIdentity(undefined, SERVER, environment);

  // Production uses the Workload API, a developer's machine uses files.
  it("is that of the Workload API if it is configured, otherwise that of the files", () => {
    const both = choose({ ...SOCKET, ...FILES });
    assert.ok(both.kind === "workload-api");
    assert.equal(both.endpoint.target, "unix:/run/agent.sock");
    const files = choose(FILES);
    assert.ok(files.kind === "files");
    assert.deepEqual([files.files.cert, files.files.key], ["a.pem", "a.key"]);
    assert.deepEqual([...files.files.bundles], [["example.org", "b.pem"]]);
  });

  it("is the one in the option, whatever the environment contains", () => {
    const files = chooseIdentity({ cert: "c", key: "k", bundle: { "example.org": "x=y" } }, SERVER, SOCKET);
    assert.ok(files.kind === "files");
    assert.deepEqual([...files.files.bundles], [["example.org", "x=y"]]);
    const api = chooseIdentity({ workloadApi: "tcp://127.0.0.1:8000", svidHint: "internal" }, SERVER, FILES);
    assert.ok(api.kind === "workload-api");
    assert.deepEqual(api.selection, { kind: "hint", hint: "internal" });
  });

  it("reads bundles of several trust domains from the variable", () => {
    const choice = choose({ ...FILES, COFFER_BUNDLE: "other.org=o.pem,./a=b.pem" });
    assert.ok(choice.kind === "files");
    assert.deepEqual(
      [...choice.files.bundles],
      [
        ["other.org", "o.pem"],
        ["example.org", "./a=b.pem"],
      ],
    );
  });

  it("is required, and the error names the variables to set", () => {
    const message =
      /^no identity: set SPIFFE_ENDPOINT_SOCKET to the address of the SPIFFE Workload API, or set COFFER_KEY, or give the option identity$/;
    const { COFFER_KEY: _, ...incomplete } = FILES;
    assert.throws(() => choose(incomplete), refuses(message, "FAILED_PRECONDITION"));
    const options = { address: "localhost:1", serverId: SERVER, environment: {} };
    assert.throws(
      () => new CofferClient(options),
      refuses(/COFFER_CERT and COFFER_KEY and COFFER_BUNDLE/, "FAILED_PRECONDITION"),
    );
  });

  // tls.connect takes the text of a key, so a caller may pass that here. If the text were taken as a path, the error
  // that this file does not exist would contain the key.
  it("is refused if it contains a key or a certificate instead of its path, and the error does not contain it", () => {
    const key = "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----\n";
    const texts = [key, Buffer.from(key).toString("base64")];
    const identities = texts.flatMap((text) => [
      () => chooseIdentity({ cert: "c", key: text, bundle: "b" }, SERVER, {}),
      () => chooseIdentity({ cert: text, key: "k", bundle: "b" }, SERVER, {}),
      () => chooseIdentity({ cert: "c", key: "k", bundle: text }, SERVER, {}),
      () => choose({ ...FILES, COFFER_KEY: text }),
    ]);
    const message = /^identity: expected the paths of files, not the text of a key or a certificate$/;
    for (const choice of identities) assert.throws(choice, refuses(message));
    // The control: an unusual path.
    const choice = choose({ ...FILES, COFFER_KEY: "./BEGIN PRIVATE KEY=" });
    assert.ok(choice.kind === "files" && choice.files.key === "./BEGIN PRIVATE KEY=");
  });

  // With a mistyped svidHint, the client would use another SVID than the caller meant.
  it("is refused with an unknown property", () => {
    const mistyped = { workloadApi: "unix:///x", svidHnt: "a" } as never;
    assert.throws(
      () => chooseIdentity(mistyped, SERVER, {}),
      refuses(/^unknown property "svidHnt"; expected workloadApi, svidHint, svidId$/),
    );
    const mixed = { workloadApi: "unix:///x", cert: "c", key: "k", bundle: "b" };
    assert.throws(() => chooseIdentity(mixed, SERVER, {}), refuses(/^unknown property "cert"; /));
  });

  it("is refused without a bundle for the server's trust domain", () => {
    const options = { cert: "c", key: "k", bundle: { "other.org": "o.pem" } };
    assert.throws(
      () => chooseIdentity(options, SERVER, {}),
      refuses(/no bundle for example\.org, the trust domain of serverId/),
    );
    assert.throws(
      () => choose({ SPIFFE_ENDPOINT_SOCKET: "/run/agent.sock" }),
      refuses(/the address of the Workload API, "\/run\/agent\.sock", is neither/),
    );
    const both = { workloadApi: "unix:///x", svidHint: "a", svidId: "spiffe://example.org/a" };
    assert.throws(() => chooseIdentity(both, SERVER, {}), refuses(/svidHint or svidId, not both/));
  });
});

// Encoding truncates 1.5 to 1 and NaN to 0, so a call would read or delete another version.
describe("a version in a call", () => {
  it("is a whole number of 32 bits", () => {
    for (const version of [0, 1, 2 ** 32 - 1, undefined]) assert.equal(versionOf("version", version), version);
    for (const version of [1.5, -1, 2 ** 32, Number.NaN, "1" as never]) {
      assert.throws(() => versionOf("version", version), refuses(/^version is .*; expected a whole number from 0 to/));
    }
    assert.throws(() => versionOf("version", "1" as never), refuses(/^version is '1'; expected/));
  });
});

describe("the path and the values of a Put", () => {
  const entries = (values: Parameters<typeof contentOf>[0]) => contentOf(values).entries();

  it("have values that are text as strings and binary as bytes", () => {
    const bytes = Buffer.from([0xff]);
    assert.deepEqual(entries({ user: "ü", key: bytes }), [
      { key: "user", kind: "text", value: Buffer.from("ü") },
      { key: "key", kind: "binary", value: bytes },
    ]);
    const map = new Map<string, string | Uint8Array>([["__proto__", "x"]]);
    assert.deepEqual(entries(map), [{ key: "__proto__", kind: "text", value: Buffer.from("x") }]);
    const content = contentOf(map);
    assert.equal(contentOf(content), content);
  });

  // Encoding would replace half of a surrogate pair, and another value would be stored.
  it("are refused with a value that is neither valid text nor bytes, and the error does not contain the value", () => {
    assert.throws(
      () => contentOf({ password: "s3cret\ud800" }),
      refuses(/^the value of password has half of a surrogate pair/),
    );
    assert.throws(
      () => contentOf({ password: 12345 as never }),
      (error: Error) => {
        assert.doesNotMatch(error.message, /12345/);
        return refuses(/^the value of password is neither a string nor a Uint8Array$/)(error);
      },
    );
  });

  // A string has entries as well, one for each character.
  it("are refused with values that are not an object, and the error does not contain the values", () => {
    for (const values of [undefined, null, "s3cret", ["s3cret"]]) {
      assert.throws(() => contentOf(values as never), refuses(/^the values are neither an object nor a Map$/));
    }
  });

  it("have a path that is a string or UTF-8 as bytes", () => {
    assert.equal(textOf("path", Buffer.from("shop/ü")), "shop/ü");
    assert.throws(() => textOf("path", Buffer.from([0xff])), refuses(/^path is not UTF-8$/));
    assert.throws(() => textOf("path", undefined as never), refuses(/^path is neither a string nor a Uint8Array$/));
  });
});
