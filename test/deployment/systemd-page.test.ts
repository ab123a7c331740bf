import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { readServeConfig } from "../../src/config/read-serve-config.ts";
import { ENDPOINT_VARIABLE } from "../../src/workload-api/endpoint.ts";
import { serveOptions } from "../../src/config/serve-options.ts";
import { ExitCode } from "../../src/cli/exit-code.ts";
import { descriptorWarning } from "../../src/process/descriptor-limit.ts";
import { page } from "../support/pages.ts";
import { memoryNeeded } from "./capacity.ts";
import { serveFlags } from "./serve-flags.ts";
import { environmentOf, lastOf, unitFilesIn } from "./unit-file.ts";

const systemd = page("docs/systemd.md");
const [unit, ...dropIns] = unitFilesIn(systemd);
const { maxStoreBytes, handshakes, threads, store, policy, shutdownDelayMs } = configWith();

describe("the unit of docs/systemd.md", () => {
  it("has its data and its root key where systemd puts them", () => {
    const [credential, source] = lastOf(unit!, "LoadCredential").split(":");
    assert.deepEqual(store, {
      kind: "sqlite",
      data: `%S/${lastOf(unit!, "StateDirectory")}`,
      rootKey: `%d/${credential}`,
    });
    assert.ok(systemd.text.includes(`root-key --out ${source}\n`));
    assert.ok(systemd.text.includes(`policy.yaml ${policy}\n`));
  });

  it("has the time, the memory and the files that its options need", () => {
    const drainMs = 10_000;
    const reserveMs = 5000;
    assert.ok(Number(lastOf(unit!, "TimeoutStopSec")) * 1000 >= drainMs + shutdownDelayMs + reserveMs);
    const files = `Max open files            ${lastOf(unit!, "LimitNOFILE")}   x   files`;
    const kernel = { read: () => files, write: () => {} };
    assert.equal(descriptorWarning(kernel, handshakes.connections, threads), undefined);
    // By the formula of docs/operations.md.
    assert.equal(lastOf(unit!, "MemoryMax"), "3G");
    assert.ok(memoryNeeded(maxStoreBytes, handshakes.connections, threads) < 3 * 2 ** 30);
  });

  // The server would run without these directives, so only this test notices when one is missing.
  it("has the directives that restrict it and keep it running, and none that would break Node", () => {
    const chosen = (directive: string) => unit!.values.get(directive)?.at(-1);
    assert.deepEqual(
      Object.fromEntries(Object.keys(CHOSEN).map((directive) => [directive, chosen(directive)])),
      CHOSEN,
    );
    assert.equal(chosen("MemoryDenyWriteExecute"), undefined);
  });

  it("is not restarted if its configuration is refused", () => {
    assert.equal(lastOf(unit!, "RestartPreventExitStatus"), String(ExitCode.usage));
  });

  it("and its drop-ins set known variables to valid values", () => {
    const known = [ENDPOINT_VARIABLE, ...Object.values(serveOptions).map(({ variable }) => variable)];
    assert.equal(dropIns.length, 3);
    for (const file of [unit!, ...dropIns]) {
      const names = Object.keys(environmentOf(file));
      assert.deepEqual(
        names.filter((name) => !known.includes(name)),
        [],
      );
      configWith(environmentOf(file));
    }
    // The positive control: the check above does notice invalid values.
    assert.throws(() => configWith({ COFFER_SERVER_SOCKET_MODE: "rw" }), /COFFER_SERVER_SOCKET_MODE/);
  });
});

/** The directives that the page chooses for security and restarts. */
const CHOSEN: Readonly<Record<string, string>> = {
  User: "coffer",
  Restart: "always",
  UMask: "0077",
  MemorySwapMax: "0",
  LimitCORE: "0",
  ProtectSystem: "strict",
  ProtectHome: "yes",
  PrivateTmp: "yes",
  PrivateDevices: "yes",
  ProtectProc: "invisible",
  NoNewPrivileges: "yes",
  CapabilityBoundingSet: "",
  RestrictNamespaces: "yes",
  SystemCallArchitectures: "native",
};

describe("docs/systemd.md, checked by systemd", { skip: lackOfSystemd() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-systemd-"));
  const file = join(folder, "coffer.service");
  // Whether Node exists at that path depends on the machine.
  before(() => writeFileSync(file, unit!.text.replace("/usr/bin/node", process.execPath)));
  after(() => rmSync(folder, { recursive: true }));

  it("has a valid unit and valid drop-ins", () => {
    assert.equal(opinion(file), "");
    for (const { text } of dropIns) assert.equal(opinionWith(text), "");
  });

  it("is refused with a misspelled directive or an invalid value", () => {
    assert.match(opinionWith("[Service]\nMemorySwapMaxx=0\n"), /Unknown key.*MemorySwapMaxx/);
    assert.match(opinionWith("[Service]\nRestart=allways\n"), /allways/);
  });

  // The exposure level of systemd-analyze ranges from 0 (well protected) to 10. The page says 1.4.
  it("has a low exposure level", () => {
    assert.equal(exposure("15").status, 0);
    assert.equal(exposure("10").status, 1);
  });

  function opinionWith(dropIn: string): string {
    mkdirSync(`${file}.d`, { recursive: true });
    writeFileSync(join(`${file}.d`, "override.conf"), dropIn);
    try {
      return opinion(file);
    } finally {
      rmSync(`${file}.d`, { recursive: true });
    }
  }

  /** Runs the check with a threshold in tenths of a level. */
  function exposure(threshold: string) {
    return spawnSync("systemd-analyze", ["security", "--offline=true", `--threshold=${threshold}`, "--no-pager", file]);
  }
});

/** The messages of verify about this unit, without those about other units. */
function opinion(file: string): string {
  const options = ["verify", "--man=no", "--recursive-errors=no", "--no-pager", file];
  const { status, stderr } = spawnSync("systemd-analyze", options, { encoding: "utf8" });
  assert.equal(status === 0, stderr === "", stderr);
  return stderr;
}

/** Why systemd is not available; false if it is. */
function lackOfSystemd(): string | false {
  const { stdout } = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
  const release = Number(/^systemd (\d+)/.exec(stdout ?? "")?.[1] ?? 0);
  return release >= 250 ? false : "there is no systemd-analyze of systemd 250 or later";
}

function configWith(environment: Readonly<Record<string, string>> = {}) {
  const [, command] = lastOf(unit!, "ExecStart").split(" serve ");
  const machine = { total: 2 ** 40, constrained: 0, cpus: 8 };
  return readServeConfig(serveFlags(command!.split(/\s+/)), { ...environmentOf(unit!), ...environment }, machine);
}
