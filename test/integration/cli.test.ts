import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { formatAddress } from "../../src/domain/address.ts";
import { callerVariables } from "../support/cli-caller.ts";
import { type Ran, type RunOptions, coffer } from "../support/cli-kit.ts";
import { nextMiss } from "../support/missed-reads.ts";
import { API, ServerKit, WEB } from "../support/server-kit.ts";

const SERVER = "spiffe://example.org/coffer";
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;

/** The output and the exit code that a test expects. */
interface Expected {
  readonly code?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Compares a result with the expected one. Each time in the output becomes TIME, because times differ between runs. */
function check(ran: Ran, { code = 0, stdout = "", stderr = "" }: Expected): void {
  const shown = { code: ran.code, stdout: ran.stdout.toString().replace(TIME, "TIME"), stderr: ran.stderr };
  assert.deepEqual(shown, { code, stdout, stderr });
}

describe("the command line", () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
  });
  after(() => kit.stop());

  /** Runs a command as the workload "api". The arguments are separated by spaces. */
  function run(line: string, options: RunOptions = {}): Promise<Ran> {
    return coffer(line.split(" "), { cwd: kit.folder, ...options, env: { ...env, ...options.env } });
  }

  async function put(path: string, line = "user=app"): Promise<void> {
    assert.equal((await run(`put ${path} ${line}`)).code, 0);
  }

  // ---- results

  it("puts, shows, lists, describes and deletes", async () => {
    const user = await run("put shop/api/a/db user=app password=-", { input: "s3cret" });
    assert.match(user.stdout.toString(), /^shop\/api\/a\/db version 1 \(revision \d+\)\n$/);
    check(await run("get shop/api/a/db"), { stdout: "KEY       VALUE\nuser      app\npassword  s3cret\n" });
    check(await run("get shop/api/a/db password"), { stdout: "s3cret" });
    check(await run("get shop/api/a/db -o env"), { stdout: "export user='app'\nexport password='s3cret'\n" });
    check(await run("list shop/api/a/"), {
      stdout: "PATH           VERSION  UPDATED\nshop/api/a/db  1        TIME\n",
    });
    check(await run("delete shop/api/a/db"), { stdout: "shop/api/a/db deleted version 1\n" });
    check(await run("delete shop/api/a/db"), { stdout: "shop/api/a/db deleted nothing: already deleted\n" });
    check(await run("describe shop/api/a/db"), {
      stdout:
        "shop/api/a/db: latest version 1, at most 10 are retained\n" +
        "no watchers\n" +
        "VERSION  STATE    CREATED                   CREATED BY                           EXPIRES  CHANGED                   CHANGED BY\n" +
        `1        DELETED  TIME  ${API}  -        TIME  ${API}\n`,
    });
    check(await run("health"), { stdout: "SERVING\n" });
  });

  // Binary values from a file are read back into a file unchanged.
  it("stores and returns exact bytes", async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 10]);
    writeFileSync(join(kit.folder, "in"), bytes);
    await put("shop/api/bytes", "key=@in");
    assert.deepEqual((await run("get shop/api/bytes key")).stdout, bytes);
    check(await run("get shop/api/bytes key --out out"), {});
    assert.deepEqual(readFileSync(join(kit.folder, "out")), bytes);
    assert.equal(statSync(join(kit.folder, "out")).mode & 0o777, 0o400);
    assert.deepEqual(
      readdirSync(kit.folder).filter((name) => name.startsWith(".out")),
      [],
    );
  });

  it("reads and deletes the versions that the command names", async () => {
    await put("shop/api/versions", "n=1");
    await put("shop/api/versions", "n=2");
    check(await run("get shop/api/versions n --version 1"), { stdout: "1" });
    check(await run("delete shop/api/versions --versions 1,2,1"), {
      stdout: "shop/api/versions deleted version 1, 2\n",
    });
  });

  it("prints JSON", async () => {
    await put("shop/api/json/x");
    const [secret, list, description] = await Promise.all(
      ["get shop/api/json/x", "list shop/api/json/", "describe shop/api/json/x"].map(async (line) =>
        JSON.parse((await run(`${line} -o json`)).stdout.toString()),
      ),
    );
    assert.deepEqual([secret.version, secret.data, secret.binary_data], [1, { user: "app" }, {}]);
    assert.deepEqual([list.length, list[0].path, list[0].latest_version], [1, "shop/api/json/x", 1]);
    assert.deepEqual([description.versions[0].state, description.versions[0].created_by], ["LIVE", API]);
  });

  it("prints JSON on request for every command that prints a result", async () => {
    const json = async (line: string) => JSON.parse((await run(`${line} -o json`)).stdout.toString());
    assert.deepEqual(await json("health"), { status: "SERVING" });
    const policy = join(kit.folder, "policy.yaml");
    assert.deepEqual(await json(`policy check ${policy}`), { file: policy, rules: 2 });
    assert.deepEqual(await json(`policy check ${policy} --as ${API} --action read --path shop/api/x`), {
      allowed: true,
      rule: "api",
    });
    assert.deepEqual(await json("root-key --out json.key"), { created: "json.key" });
    const [ca] = await json("dev-pki --dir json-pki --trust-domain shop.test");
    assert.deepEqual([ca.created, typeof ca.expire_time], [true, "string"]);
    await put("shop/api/json/y");
    for (const line of ["put shop/api/json/y a=b", "delete shop/api/json/y", "destroy shop/api/json/y --yes"]) {
      const answer = await json(line);
      assert.deepEqual(
        [answer.path, typeof answer.revision, typeof answer.store_revision],
        ["shop/api/json/y", "number", "number"],
      );
    }
  });

  // A workload may start before its secret exists. --wait waits for the secret, but does not retry any other error.
  it("waits for a secret", async () => {
    const missed = nextMiss(kit);
    const waiting = run("get shop/api/late user --wait 600s");
    await missed();
    await put("shop/api/late");
    check(await waiting, { stdout: "app" });
    check(await run("get shop/web/x --wait 60s"), {
      code: 4,
      stderr: "coffer: no rule allows the caller to read shop/web/x\n",
    });
    check(await run("get shop/api/late nokey --wait 576h"), {
      code: 3,
      stderr: 'coffer: version 1 of shop/api/late does not have the key "nokey"\n',
    });
  });

  // ---- errors

  it("has an exit code and a message for each error of the server", async () => {
    await put("shop/api/errors");
    for (const [line, code, stderr] of [
      ["get shop/api/nothing", 3, "there is no secret at shop/api/nothing"],
      ["get shop/api/errors nokey", 3, 'version 1 of shop/api/errors does not have the key "nokey"'],
      ["put shop/web/db a=b", 4, "no rule allows the caller to write shop/web/db\ncoffer: nothing was changed"],
      [
        "put shop/api/errors a=b --expected-version 0",
        5,
        "expected_version is 0 but the latest version of shop/api/errors is 1\ncoffer: nothing was changed",
      ],
      ["put shop//x a=b", 2, "path contains an empty segment (//)\ncoffer: nothing was changed"],
    ] as const) {
      check(await run(line), { code, stderr: `coffer: ${stderr}\n` });
    }
  });

  it("has an exit code and a message for each connection failure", async () => {
    const otherCa = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);
    const untrusted = kit.writeCredential(otherCa.issue({ id: API }), "untrusted");
    // This bundle has both CAs: the client accepts its own SVID and the server's, but the server refuses the client's.
    writeFileSync(join(kit.folder, "both.pem"), kit.ca.bundlePem + otherCa.bundlePem);
    writeFileSync(join(kit.folder, "other-bundle.pem"), otherCa.bundlePem);
    const address = formatAddress(kit.address);
    for (const [options, code, stderr] of [
      [
        { COFFER_ADDR: "unix:nowhere" },
        6,
        "nothing answers at unix:nowhere: there is no such socket; check the address, and that the server runs",
      ],
      [{ COFFER_SERVER_ID: WEB }, 7, `the server at ${address} is ${SERVER}, expected ${WEB}; nothing was sent to it`],
      [
        { COFFER_CERT: untrusted.cert, COFFER_KEY: untrusted.key, COFFER_BUNDLE: "both.pem" },
        7,
        `${SERVER} closed the connection right after the handshake: it probably refused ${API}; see its log`,
      ],
      [
        { COFFER_CERT: untrusted.cert, COFFER_KEY: untrusted.key, COFFER_BUNDLE: "other-bundle.pem" },
        7,
        `the server at ${address} does not prove its identity (untrusted): ` +
          "OpenSSL refuses its chain: unable to get local issuer certificate",
      ],
      [{ COFFER_CERT: "missing.pem" }, 7, `there is no identity to call ${address} with: missing.pem does not exist`],
    ] as const) {
      check(await run("list", { env: options }), { code, stderr: `coffer: ${stderr}\n` });
    }
  });

  // Other users of the machine may have copied a key that they can read.
  it("refuses a key that every user can read", async () => {
    const open = kit.writeCredential(kit.issue({ id: API }), "open");
    chmodSync(open.key, 0o644);
    const ran = await run("list", { env: { COFFER_CERT: open.cert, COFFER_KEY: open.key } });
    assert.equal(ran.code, 7);
    assert.ok(ran.stderr.includes(open.key));
  });

  it("refuses wrong usage without a call", async () => {
    for (const [line, stderr] of [
      ["get", /missing required argument 'path'/],
      ["put shop/api/x", /no key: expected key=value or --json/],
      ["put shop/api/x hunter2", /invalid argument 1: expected key=@file/],
      ["put shop/api/x a=?", /needs a terminal/],
      [
        "get shop/api/x -o yaml",
        /option '-o, --output <format>': unknown format "yaml": expected table, json, env, raw/,
      ],
      ["get shop/api/x --version one", /^error: option '--version <n>': invalid number "one": expected a whole number/],
      ["delete shop/api/x --versions 1,x", /expected a whole number/],
      ["list --server-id any", /--server-id: invalid SPIFFE ID "any"/],
      ["fetch x", /unknown command 'fetch'/],
    ] as const) {
      const ran = await run(line, { env: { COFFER_ADDR: "unix:nowhere" } });
      assert.equal(ran.code, 2, line);
      assert.match(ran.stderr, stderr);
      assert.doesNotMatch(ran.stderr, /hunter2/);
    }
  });

  it("prints help", async () => {
    for (const line of ["--help", "put --help", "help get"]) {
      const ran = await run(line);
      assert.deepEqual([ran.code, ran.stderr], [0, ""]);
      assert.match(ran.stdout.toString(), /^Usage: coffer /);
    }
    assert.match((await run("put --help")).stdout.toString(), /other users of this machine can\n +read it/);
  });

  // A bug report needs these versions.
  it("prints its release, commit, Node and SQLite", async () => {
    for (const flag of ["-v", "--version"]) {
      const { code, stdout } = await run(flag);
      assert.equal(code, 0);
      assert.match(
        stdout.toString(),
        /^coffer \d+\.\d+\.\d+ \(commit [0-9a-f]{12}(-modified)?\)\nNode \d+\.\d+\.\d+\nSQLite 3\.\d+\.\d+\n$/,
      );
    }
  });

  // A proxy of the environment would learn which client calls which server. This proxy is not reachable.
  it("uses no proxy", async () => {
    const proxy = "http://127.0.0.1:1";
    const proxies = { http_proxy: proxy, https_proxy: proxy, grpc_proxy: proxy };
    check(await run("health", { env: proxies }), { stdout: "SERVING\n" });
  });
});

describe("commands that create files", () => {
  it("create a root key once", async () => {
    const kit = await ServerKit.start();
    try {
      const options = { cwd: kit.folder };
      check(await coffer(["root-key", "--out", "new.key"], options), { stdout: "created new.key\n" });
      assert.match(readFileSync(join(kit.folder, "new.key"), "utf8"), /^[0-9a-f]{64}\n$/);
      check(await coffer(["root-key", "--out", "new.key"], options), {
        code: 1,
        stderr: "coffer: new.key exists, and a root key is never overwritten\n",
      });
    } finally {
      await kit.stop();
    }
  });

  it("create certificates, and keep those that are valid", async () => {
    const kit = await ServerKit.start();
    try {
      const arguments_ = ["dev-pki", "--dir", "pki", "--trust-domain", "shop.test"];
      const first = await coffer(arguments_, { cwd: kit.folder });
      assert.match(first.stdout.toString(), /pki\/api\.pem +spiffe:\/\/shop\.test\/ns\/shop\/sa\/api +\S+ +created/);
      const second = await coffer(arguments_, { cwd: kit.folder });
      assert.equal(second.stdout.toString(), first.stdout.toString().replaceAll("created", "unchanged"));
      assert.ok(existsSync(join(kit.folder, "pki", "web.key")));
    } finally {
      await kit.stop();
    }
  });
});
