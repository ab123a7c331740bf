import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { it } from "node:test";
import { ofThisFile } from "../support/children.ts";
import { PROGRAM } from "../support/cli-kit.ts";
import { LONG } from "../support/long-form.ts";
import { nextEvent } from "../support/next-event.ts";
import { ADMIN } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { textOf } from "../support/text-of.ts";
import { until } from "../support/until.ts";

// The long form is the requirement.
const CHANGES = LONG ? 1000 : 60;
const KILLS = LONG ? 100 : 8;

const READER = fileURLToPath(new URL("../support/set-reader.js", import.meta.url));

/** What a process that reads a set has seen. */
interface Seen {
  readonly value?: string;
  readonly torn?: readonly string[];
}

// One Commit changes two secrets to the same value. Whatever is killed and when, a reader finds that value in all files
// of a set or in none; the files and the command get the last value; and nothing of an earlier set remains.
it(`an agent misses nothing and tears nothing in ${CHANGES} changes and ${KILLS} kills`, async () => {
  const site = new Site();
  const memory = mkdtempSync("/dev/shm/coffer-agent-");
  const socket = join(site.folder, "s");
  const directory = join(memory, "set");
  const handled = join(memory, "handled");
  const config = join(site.folder, "agent.yaml");
  writeFileSync(
    config,
    `targets:
  - name: both
    directory: ${directory}
    files:
      - {file: a, secret: load/a, key: k}
      - {file: b, secret: load/b, key: k}
      - {file: c, template: "{{b.k}}", secrets: {b: load/b}}
    on_change:
      # The command handles what it reads, as a server does that reloads its files. It can outlive an agent that is killed,
      # so it runs alone: otherwise an earlier command could be the last one that renames its file.
      command: [/bin/sh, -c, 'exec 9<"$0" && flock 9 && cat "$0/a" >"$1.new" && mv "$1.new" "$1"', ${directory}, ${handled}]
  - name: keys
    directory: ${join(memory, "keys")}
    secret: load/a
  - name: alone
    file: ${join(memory, "alone")}
    secret: load/b
    key: k
`,
  );
  const startServer = () => site.start({ flags: ["--listen", `unix:${socket}`] });
  let server: ServerProcess = await startServer();
  const variables = { ...site.variables(ADMIN, server), COFFER_ADDR: `unix:${socket}` };
  const startAgent = (): ChildProcess =>
    ofThisFile(
      spawn(process.execPath, [PROGRAM, "agent", "-c", config], {
        env: { PATH: process.env["PATH"], ...variables },
        stdio: ["ignore", "ignore", "ignore"],
      }),
    );
  const client = site.client(ADMIN, { address: `unix:${socket}`, timeoutMs: 120_000 });
  const seen: Seen[] = [];
  const reader = ofThisFile(
    spawn(process.execPath, [READER, directory, "a", "b", "c"], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  createInterface({ input: reader.stdout! }).on("line", (line) => seen.push(JSON.parse(line) as Seen));
  let agent = startAgent();
  try {
    const put = (i: number) =>
      client.commit(
        ["load/a", "load/b"].map((path) => ({ kind: "put", path, values: { k: String(i), [`k${i % 3}`]: "x" } })),
      );
    await put(0);
    await until("the first set is read", () => seen.length > 0);
    for (let i = 1; i <= CHANGES; i++) {
      await put(i);
      if (i % Math.floor(CHANGES / KILLS) !== 0) continue;
      // Every other time, the set has just changed, and the agent works on what follows: the command, the other targets.
      if (i % 2 === 0) await until("the set has this value", () => seen.at(-1)?.value === String(i));
      if (i % 3 === 0) {
        await server.kill();
        server = await startServer();
      } else {
        agent.kill("SIGKILL");
        await once(agent, "exit");
        agent = startAgent();
      }
    }
    const last = String(CHANGES);
    await until("the set has the last value", () => seen.at(-1)?.value === last);
    await until("the command has handled the last value", () => textOf(handled) === last);
    await until("the other targets have it", () =>
      [join(memory, "keys/k"), join(memory, "alone")].every((file) => textOf(file) === last),
    );
    // The agent removes the mark of the command after its end, and the folder of the earlier set after the new one is there.
    await hasOnly(directory, "..data", "..folder", "a", "b", "c");
    await hasOnly(join(memory, "keys"), "..data", "..folder", "k", `k${CHANGES % 3}`);
    await hasOnly(memory, "alone", "handled", "keys", "set");
    assert.deepEqual(
      seen.filter(({ torn }) => torn !== undefined),
      [],
    );
    const values = seen.map(({ value }) => Number(value));
    assert.deepEqual(
      values,
      values.toSorted((one, other) => one - other),
      "no set is followed by an older one",
    );
  } finally {
    for (const child of [agent, reader]) child.kill("SIGKILL");
    await client.close();
    await site.remove();
    rmSync(memory, { recursive: true });
  }
});

// The control: the reader notices a set that is written file by file.
it("a process that reads a set reports files of different versions", async () => {
  const directory = mkdtempSync("/dev/shm/coffer-agent-");
  mkdirSync(join(directory, "..one"));
  for (const [name, value] of Object.entries({ a: "2", b: "1" })) writeFileSync(join(directory, "..one", name), value);
  symlinkSync("..one", join(directory, "..data"));
  const reader = ofThisFile(
    spawn(process.execPath, [READER, directory, "a", "b"], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  const [line] = (await nextEvent(createInterface({ input: reader.stdout! }), "line")) as [string];
  reader.kill("SIGKILL");
  rmSync(directory, { recursive: true });
  assert.deepEqual(JSON.parse(line), { torn: ["2", "1"] });
});

/** Resolves when a folder has these entries and no other. */
async function hasOnly(folder: string, ...names: readonly string[]): Promise<void> {
  await until(`${folder} has only ${names}`, () => isDeepStrictEqual(namesIn(folder), names));
}

/** The names in a folder, sorted, with a fixed name for the folder of the set. */
function namesIn(folder: string): string[] {
  return readdirSync(folder)
    .map((name) => (/^\.\.\d/.test(name) ? "..folder" : name))
    .sort();
}
