import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readAgentConfig } from "../../../src/agent/config-file.ts";
import type { StartRefused } from "../../../src/domain/start-refused.ts";

const FILES: Readonly<Record<string, string>> = {
  "/etc/coffer/app.hbs": "user={{db.user}}",
  "/etc/coffer/broken.hbs": "{{db.",
};

function read(text: string) {
  return readAgentConfig("/etc/coffer/agent.yaml", (path) => {
    const found = path === "/etc/coffer/agent.yaml" ? text : FILES[path];
    if (found === undefined) throw new Error("does not exist");
    return Buffer.from(found);
  });
}

/** The problems of a file, without its name. */
function problemsOf(text: string): readonly string[] {
  try {
    read(text);
  } catch (error) {
    const { name, problems } = error as StartRefused;
    assert.equal(name, "StartRefused");
    return problems.map((line) => line.replace("/etc/coffer/agent.yaml:", ""));
  }
  return [];
}

/** A file with one target that has these further lines. */
const target = (...lines: readonly string[]) =>
  ["targets:", "  - name: t", ...lines.map((line) => `    ${line}`)].join("\n");
const FILE = ["file: /run/x/f", "secret: a/b", "key: k"];

describe("the configuration of the agent", () => {
  it("is read with every key", () => {
    const { instance, listen, targets } = read(`
instance: api-0
listen: 127.0.0.1:9653
targets:
  - name: set
    directory: /run/x/set/
    files:
      - {file: tls.key, secret: a/tls, key: tls.key, decode: base64, mode: 0440}
      - {file: app.conf, template: "{{db.user}}", secrets: {db: a/db}}
      - {file: other.conf, template_file: app.hbs, secrets: {db: a/db}}
    mode: 0444
    owner: 10001
    group: 20000
    allow_disk: true
    on_change: {command: [nginx, -s, reload], timeout: 5s}
    when_gone: remove
    remove_after_outage: 1h
  - name: keys
    directory: /run/x/keys
    secret: a/env
    on_change: {signal: HUP, pid_file: /run/x.pid}
  - name: one
    file: /run/x/one
    secret: a/db
    key: password
    on_change: {signal: SIGUSR2, process: nginx}
`);
    assert.equal(instance, "api-0");
    assert.deepEqual(listen, { kind: "tcp", host: "127.0.0.1", port: 9653 });
    const [set, keys, one] = targets;
    assert.deepEqual(set!.place, { kind: "directory", path: "/run/x/set" });
    assert.deepEqual(set!.rights, { mode: 0o444, owner: 10001, group: 20000 });
    assert.deepEqual(set!.onChange, {
      kind: "command",
      program: "nginx",
      arguments: ["-s", "reload"],
      timeoutMs: 5000,
    });
    assert.deepEqual([set!.allowDisk, set!.whenGone, set!.removeAfterOutageMs], [true, "remove", 3_600_000]);
    assert.equal(set!.contents.kind, "files");
    const files = set!.contents.kind === "files" ? set!.contents.files : [];
    assert.deepEqual(
      files.map(({ name, mode }) => [name, mode]),
      [
        ["tls.key", 0o440],
        ["app.conf", undefined],
        ["other.conf", undefined],
      ],
    );
    assert.deepEqual(files[0]!.source, { kind: "value", secret: "a/tls", key: "tls.key", isBase64: true });
    assert.deepEqual(keys!.contents, { kind: "keys", secret: "a/env" });
    const pidFile = { kind: "pid-file", path: "/run/x.pid" };
    assert.deepEqual(keys!.onChange, { kind: "signal", signal: "SIGHUP", receiver: pidFile });
    assert.deepEqual(one!.place, { kind: "file", path: "/run/x/one" });
    assert.deepEqual(one!.onChange, { kind: "signal", signal: "SIGUSR2", receiver: { kind: "name", name: "nginx" } });
    // The defaults.
    assert.deepEqual(one!.rights, { mode: 0o400, owner: undefined, group: undefined });
    assert.deepEqual([one!.allowDisk, one!.whenGone, one!.removeAfterOutageMs], [false, "keep", undefined]);
  });

  // Each row has a file, and the problem with its line and column.
  const rows: [text: string, problem: string | RegExp][] = [
    ["", "1:1: the file must be a mapping with the key targets"],
    ["x: 1\ntargets: []", /^1:1: the file has no key x; it has instance, listen, targets$/],
    ["targets: []", "1:10: targets must have at least one item"],
    ["targets: {}", "1:10: targets must be a list"],
    ["instance: a/b\ntargets: []", /^1:11: instance: invalid name: expected at most 253/],
    ["listen: nowhere\ntargets: []", /^1:9: listen: invalid address/],
    ["targets:\n  - {file: /x/y, secret: a, key: k}", /^2:5: a target has no name$/],
    [target(...FILE, "moed: 0400"), /^6:5: a target has no key moed; it has name, file, directory/],
    [target(...FILE, "mode: 0400", "mode: 0400"), "7:5: the key is repeated"],
    [target(...FILE, "mode:"), '6:10: mode is empty: write "" for an empty text'],
    [target("secret: a/b"), /^2:5: a target needs one of the keys file, directory$/],
    [target(...FILE, "directory: /run/y"), /^6:16: file and directory can't be combined; use one of them$/],
    [target("file: relative", "secret: a/b", "key: k"), /^3:11: file: expected an absolute path/],
    [target("file: /run/../etc/x", "secret: a/b", "key: k"), /^3:11: file: expected an absolute path/],
    [target("file: /proc/x", "secret: a/b", "key: k"), /^3:11: file: is below a folder that belongs to the kernel$/],
    [target("file: /run/x", "secret: a/b"), "2:5: a target has no key"],
    [target("file: /run/x", "secret: /a", "key: k"), /^4:13: secret: expected the path of a secret/],
    [target("file: /run/x", "secret: a", 'key: "my secret value"'), /^5:10: key: expected a key of a secret/],
    [
      target("file: /run/x", "secret: a", "key: k", "decode: hex"),
      /^6:13: decode: invalid value "hex": expected one of base64$/,
    ],
    [target("file: /run/x", "secret: a", "key: k", "template: x"), /^6:15: secret and template can't be combined/],
    [target("file: /run/x", "secret: a", "key: k", "secrets: {a: b}"), /^6:14: secrets belongs to a template$/],
    [target("file: /run/x", "template: x"), "2:5: a target has no secrets"],
    [
      target("file: /run/x", 'template: "{{db.x"', "secrets: {db: a}"),
      "4:15: template: line 1: not a valid Handlebars template",
    ],
    [
      target("file: /run/x", 'template: "{{x.y}}"', "secrets: {db: a}"),
      /^4:15: template: line 1, column 3: "x" is neither a helper/,
    ],
    [target("file: /run/x", "template: x", "secrets: {__proto__: a}"), /^5:14: a name of a secret must be a letter/],
    [target("file: /run/x", "template: x", "secrets: {db: a}", "key: k"), /^6:10: key has no effect with a template$/],
    [target("file: /run/x", "template_file: no.hbs", "secrets: {db: a}"), "4:20: template_file: no.hbs does not exist"],
    [
      target("file: /run/x", "template_file: broken.hbs", "secrets: {db: a}"),
      /^4:20: template_file: line 1: not a valid/,
    ],
    [target("directory: /run/x"), /^2:5: a target needs one of the keys files, secret$/],
    [target("directory: /run/x", "secret: a", "key: k"), /^5:10: key belongs in an entry of files$/],
    [target("directory: /run/x", "files: []"), "4:12: files must have at least one item"],
    [
      target("directory: /run/x", "files: [{file: a/b, secret: a, key: k}]"),
      /^4:20: file: expected the name of a file/,
    ],
    [
      target("directory: /run/x", "files: [{file: ..data, secret: a, key: k}]"),
      /^4:20: file: expected the name of a file/,
    ],
    [
      target("directory: /run/x", "files: [{file: a, secret: a, key: k}, {file: a, secret: a, key: k}]"),
      "4:50: the file a is repeated",
    ],
    [target("directory: /run/x", "files: [{file: a, secret: a, key: k, owner: 1}]"), /^4:42: a file has no key owner/],
    [target(...FILE, "mode: rwx"), "6:11: mode: expected three octal digits, such as 0400"],
    [target(...FILE, "mode: 0666"), "6:11: mode: would let other users change the file"],
    [target(...FILE, "owner: root"), "6:12: owner: expected a number, such as 10001"],
    [target(...FILE, "group: 4294967295"), "6:12: group: expected a number, such as 10001"],
    [target(...FILE, "allow_disk: maybe"), "6:17: allow_disk: expected true or false"],
    [target(...FILE, "when_gone: forget"), /^6:16: when_gone: invalid value "forget": expected one of keep, remove$/],
    [target(...FILE, "remove_after_outage: soon"), /^6:26: remove_after_outage: invalid duration/],
    [target(...FILE, "on_change: x"), "6:16: on_change must be a mapping of keys to values"],
    [target(...FILE, "on_change: {}"), /^6:16: on_change needs one of the keys command, signal$/],
    [target(...FILE, "on_change: {command: reload}"), "6:26: command must be a list"],
    [target(...FILE, "on_change: {command: [x], signal: HUP}"), /^6:39: command and signal can't be combined/],
    [target(...FILE, "on_change: {command: [x], process: y}"), /^6:40: process belongs to a signal$/],
    [target(...FILE, "on_change: {signal: HUP}"), /^6:16: on_change needs one of the keys pid_file, process$/],
    [target(...FILE, "on_change: {signal: NOPE, process: y}"), /^6:25: signal: expected the name of a signal/],
    [target(...FILE, "on_change: {signal: HUP, process: y, timeout: 1s}"), /^6:51: timeout belongs to a command$/],
    [
      target(...FILE, "on_change: {signal: HUP, process: a-name-that-is-too-long}"),
      /^6:39: process: expected the name of a process/,
    ],
    [`${target(...FILE)}\n  - {name: t, file: /run/y, secret: a, key: k}`, "6:5: the name t is repeated"],
    [
      `${target(...FILE)}\n  - {name: u, file: /run/x/f, secret: a, key: k}`,
      "6:5: the file /run/x/f is also written by the target t",
    ],
    [
      `${target(...FILE)}\n  - {name: u, directory: /run/x, files: [{file: f, secret: a, key: k}]}`,
      "6:5: the directory /run/x/f is also written by the target t",
    ],
    ["targets: [", /^1:11: /],
    ["targets: !!seq []", /^1:16: ! begins a YAML tag/],
    ["\u0000", /^1:1: the file must be a mapping/],
    ["targets: [x]", /^1:11: a target must be a mapping/],
  ];
  for (const [text, problem] of rows) {
    it(`reports ${String(problem)}`, () => {
      const [first, ...others] = problemsOf(text);
      if (typeof problem === "string") assert.equal(first, problem);
      else assert.match(first ?? "valid", problem);
      // A second problem would hide that the first was reported for another reason. Only the empty lists have one.
      assert.ok(others.length === 0 || text.includes("[]"), others.join("\n"));
    });
  }

  it("is refused with all problems, in the order of the file", () => {
    const problems = problemsOf(target("file: x", "secret: /", "key: k", "mode: 9"));
    assert.deepEqual(
      problems.map((line) => line.split(": ")[1]),
      ["file", "secret", "mode"],
    );
  });

  // A secret may have been pasted where its path, its key or a name belongs.
  it("never shows the value of secret or key, or a key that can't be a mistyped name", () => {
    const pasted = "hunter2 pasted";
    const texts = [
      target("file: /run/x", `secret: ${pasted}`, "key: k"),
      target("file: /run/x", "secret: a", `key: ${pasted}`),
      target(...FILE, `${pasted}: x`),
      target("file: /run/x", "template: x", `secrets: {db: ${pasted}}`),
      target("file: /run/x", `template: "{{${pasted}"`, "secrets: {db: a}"),
    ];
    for (const text of texts) {
      const problems = problemsOf(text);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.doesNotMatch(problems[0]!, /hunter2/);
    }
  });

  it("has at most as many secrets as one watch", () => {
    const list = (count: number) =>
      Array.from({ length: count }, (_, i) => `{file: f${i}, secret: a/${i}, key: k}`).join(", ");
    assert.deepEqual(problemsOf(target("directory: /run/x", `files: [${list(128)}]`)), []);
    const message = "2:3: the targets use 129 secrets, more than 128; run a second agent";
    assert.deepEqual(problemsOf(target("directory: /run/x", `files: [${list(129)}]`)), [message]);
  });
});
