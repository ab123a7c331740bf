import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { coffer, runToEnd, serving } from "../support/cli-kit.ts";
import { nextEvent } from "../support/next-event.ts";
import type { ServerProcess } from "../support/server-process.ts";

const DEV = ["dev", "--listen", "127.0.0.1:0", "--ops-listen", "off"];
const BIN = resolve("node_modules/.bin");

describe("coffer serve", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-serve-"));
  const pki = join(folder, "pki");
  const env = {
    COFFER_SERVER_LISTEN: "127.0.0.1:0",
    COFFER_SERVER_OPS_LISTEN: "off",
    COFFER_SERVER_DATA: join(folder, "data"),
    COFFER_SERVER_ROOT_KEY: join(folder, "root.key"),
    COFFER_SERVER_CERT: join(pki, "coffer.pem"),
    COFFER_SERVER_KEY: join(pki, "coffer.key"),
    COFFER_SERVER_BUNDLE: `example.org=${join(pki, "bundle.pem")}`,
    COFFER_SERVER_POLICY: join(folder, "policy.yaml"),
    COFFER_SERVER_ADMIN: "spiffe://example.org/admin",
  };
  before(async () => {
    await coffer(["dev-pki", "--dir", pki, "--trust-domain", "example.org"]);
    await coffer(["root-key", "--out", env.COFFER_SERVER_ROOT_KEY]);
    writeFileSync(env.COFFER_SERVER_POLICY, "rules: []\n");
  });
  after(() => rmSync(folder, { recursive: true }));

  /** The variables of a caller. COFFER_BUNDLE accepts the same form as COFFER_SERVER_BUNDLE. */
  async function caller(server: ServerProcess, name: string): Promise<Record<string, string>> {
    const { address } = await server.logged("listening");
    return {
      COFFER_ADDR: String(address),
      COFFER_CERT: join(pki, `${name}.pem`),
      COFFER_KEY: join(pki, `${name}.key`),
      COFFER_BUNDLE: env.COFFER_SERVER_BUNDLE,
      COFFER_SERVER_ID: "spiffe://example.org/coffer",
    };
  }

  // A secret that was put before SIGTERM is present after a restart, and both servers exit with 0.
  it("is configured by variables, stops at SIGTERM with 0, and loses nothing", async () => {
    const first = serving(["serve"], { env }).server;
    const put = await coffer(["put", "a/b", "k=v"], { env: await caller(first, "admin") });
    assert.equal(put.code, 0, put.stderr);
    assert.equal((await first.stop()).code, 0);
    assert.equal(first.log.at(-1)?.event, "stopped");
    const second = serving(["serve"], { env }).server;
    const got = await coffer(["get", "a/b", "k"], { env: await caller(second, "admin") });
    assert.equal(got.stdout.toString(), "v");
    second.signal("SIGINT");
    assert.equal((await second.ended).code, 0);
  });

  // A shell can export COFFER_CERT for a client. The server once used it as its own certificate, and served as that
  // client.
  it("does not use a client's identity", async () => {
    const { COFFER_SERVER_CERT, COFFER_SERVER_KEY, COFFER_SERVER_BUNDLE, ...rest } = env;
    const client = {
      COFFER_CERT: COFFER_SERVER_CERT,
      COFFER_KEY: COFFER_SERVER_KEY,
      COFFER_BUNDLE: COFFER_SERVER_BUNDLE,
    };
    const ran = await coffer(["serve"], { env: { ...rest, ...client } });
    assert.deepEqual([ran.code, /an identity is required/.test(ran.stderr)], [2, true]);
    // The control: the server accepts the same files under its own variable names.
    const { server } = serving(["serve"], { env });
    await server.serving();
    await server.stop();
  });

  // With a mistyped variable, the default stays in force.
  it("warns of unknown variables", async () => {
    const { server } = serving(["serve"], { env: { ...env, COFFER_SERVER_POLICI: "x", COFFER_DATA: "y" } });
    await server.serving();
    assert.deepEqual(
      server.lines("unknown environment variable").map(({ detail }) => detail),
      [
        "unknown variable COFFER_DATA has no effect; did you mean COFFER_SERVER_DATA?",
        "unknown variable COFFER_SERVER_POLICI has no effect; did you mean COFFER_SERVER_POLICY?",
      ],
    );
    await server.stop();
  });

  // The call in progress never ends by itself, so the first SIGTERM has to wait for it.
  it("exits immediately at a second SIGTERM", async () => {
    const { server } = serving(["serve"], { env });
    const { address } = await server.logged("listening");
    const [cert, key, ca] = ["admin.pem", "admin.key", "bundle.pem"].map((name) => readFileSync(join(pki, name)));
    const session = connect(`https://${address}`, { cert: cert!, key: key!, ca: ca!, servername: "localhost" });
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": "/coffer.v1.Secrets/Get" }, { endStream: false });
    stream.on("error", () => {});
    await nextEvent(session, "remoteSettings");
    await new Promise((resolve) => session.ping(resolve));
    server.signal("SIGTERM");
    await server.logged("stopping");
    server.signal("SIGTERM");
    assert.deepEqual(await server.ended, { code: 143, signal: null });
    assert.equal(server.lines("stopped").length, 0);
    session.destroy();
  });

  // A valid policy replaces the old one completely. An invalid one leaves the old one in force, and the log has the
  // reason.
  it("reloads the policy at SIGHUP", async () => {
    const server = serving(["serve"], { env }).server;
    const api = await caller(server, "api");
    assert.equal((await coffer(["list"], { env: api })).code, 4);
    const rule = "{spiffe_ids: [spiffe://example.org/ns/shop/sa/api], paths: [a/**], actions: [list]}";
    writeFileSync(env.COFFER_SERVER_POLICY, `rules: [${rule}]\n`);
    const lines = server.log.length;
    server.signal("SIGHUP");
    await server.loggedAfter(lines, ["policy loaded"]);
    assert.equal((await coffer(["list"], { env: api })).code, 0);
    writeFileSync(env.COFFER_SERVER_POLICY, "rules: nonsense\n");
    server.signal("SIGHUP");
    await server.logged("policy reload failed");
    assert.equal((await coffer(["list"], { env: api })).code, 0);
    assert.equal((await server.stop()).code, 0);
  });

  it("reports all problems with the options together, and exits with 2", async () => {
    const ran = await coffer(["serve", "--listen", "here", "--store", "etcd"], {
      env: { ...env, COFFER_SERVER_ADMIN: "me" },
    });
    assert.equal(ran.code, 2);
    assert.equal(ran.stdout.length, 0);
    assert.deepEqual(
      ran.stderr.split("\n").map((line) => line.split(/: /).slice(0, 2).join(": ")),
      ["coffer: --listen", "coffer: --store", "coffer: COFFER_SERVER_ADMIN", ""],
    );
  });

  // The server checks all files that the options name, and creates no new data key for a wrong root key.
  it("reports all problems with the files together, and exits with 2", async () => {
    const other = join(folder, "other.key");
    await coffer(["root-key", "--out", other]);
    writeFileSync(join(folder, "bad.yaml"), "rules: [{}]\n");
    const wrong = {
      COFFER_SERVER_ROOT_KEY: other,
      COFFER_SERVER_POLICY: join(folder, "bad.yaml"),
      COFFER_SERVER_CERT: "missing.pem",
    };
    const ran = await coffer(["serve"], { env: { ...env, ...wrong } });
    assert.equal(ran.code, 2);
    const complaints = ran.stderr.split("\n").filter((line) => line.startsWith("coffer: "));
    for (const expected of [/missing\.pem/, /bad\.yaml:1/, /root key/]) {
      assert.ok(
        complaints.some((line) => expected.test(line)),
        `${expected}: ${ran.stderr}`,
      );
    }
    assert.doesNotMatch(ran.stderr, /^\s+at /m);
  });
});

describe("coffer dev", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-dev-"));
  after(() => rmSync(folder, { recursive: true }));

  /** The lines to paste, which are the indented ones. */
  const pasteable = (printed: string) => printed.split("\n").filter((line) => line.startsWith("  "));

  // No configuration is needed, and every printed line works unchanged in the server's folder, in each shell that a new
  // user may have: for zsh, an unquoted key=? is a pattern that matches no file. A test has no terminal for key=?, so
  // it reads the value from standard input.
  it("creates what it needs, and prints lines that work", async () => {
    const { server, printed } = serving(DEV, { cwd: folder });
    const lines = pasteable(await printed(/Ctrl-C/));
    const denied = lines.filter((line) => line.includes("web.pem"));
    const grpcurl = lines.filter((line) => line.includes("grpcurl"));
    const allowed = lines.filter((line) => !denied.includes(line) && !grpcurl.includes(line));
    assert.deepEqual([denied.length, allowed.filter((line) => line.includes("buf curl")).length], [1, 4]);

    const script = allowed.join("\n").replace("password=?", "password=-").replaceAll("npx buf", "buf");
    const path = `${BIN}${delimiter}${process.env["PATH"]}`;
    const shells = ["sh", "bash", "zsh"].filter((shell) => spawnSync(shell, ["-c", "exit 0"]).status === 0);
    for (const shell of shells) {
      const ran = await runToEnd(shell, ["-ec", script], { cwd: folder, env: { PATH: path }, input: "s3cret" });
      assert.equal(ran.code, 0, `${shell}: ${ran.stderr}`);
      // Without a terminal, get prints the value without a line break.
      assert.match(ran.stdout.toString(), /^s3cretshop\/api\/db version \d+ .*\nKEY +CHANGE\nhost +added$/m);
    }
    const exports = lines.filter((line) => line.startsWith("  export ")).join("\n");
    const refused = await runToEnd("sh", ["-ec", `${exports}\n${denied[0]}`], { cwd: folder });
    assert.equal(refused.code, 4, refused.stderr);
    assert.ok(grpcurl.every((line) => !line.includes("-insecure")));

    assert.equal((await server.stop()).code, 0);
  });

  // The user's changes and secrets are present at the next start. Only the owner can read .coffer.
  it("keeps the files that it created", async () => {
    const kept = ["certs/dev/ca.key", "certs/dev/api.pem", ".coffer/root.key", ".coffer/policy.yaml"];
    const content = () => kept.map((file) => readFileSync(join(folder, file), "utf8"));
    const before = content();
    const { server } = serving(DEV, { cwd: folder });
    // The log begins with the line of the start.
    const loaded = await server.logged("store loaded");
    assert.equal(server.log[0]?.event, "starting");
    assert.ok(Number(loaded["secrets"]) > 0);
    await server.logged("serving");
    server.signal("SIGINT");
    assert.equal((await server.ended).code, 0);
    assert.deepEqual(content(), before);
    assert.equal(statSync(join(folder, ".coffer")).mode & 0o777, 0o700);
  });
});
