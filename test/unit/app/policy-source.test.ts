import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import { PolicySource } from "../../../src/app/policy-source.ts";
import { StartRefused } from "../../../src/domain/start-refused.ts";
import { decidedBy } from "../../../src/authorization/decision.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { createLogger } from "../../../src/observability/logger.ts";
import { FILE_DELIVERIES } from "../../support/file-delivery.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { Lines } from "../../support/log-lines.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const root = mkdtempSync(join(tmpdir(), "coffer-policy-"));
after(() => rmSync(root, { recursive: true }));

let file: string;
let timers: ManualTimers;
let log: Lines;
let hint: () => void;
let source: PolicySource | undefined;

beforeEach(() => {
  file = join(mkdtempSync(join(root, "run-")), "policy.yaml");
  timers = new ManualTimers(NOW);
  log = new Lines();
});
afterEach(() => source?.close());

/** A policy with one rule, named `name`, which allows every workload of example.org to read everything. */
const policy = (name: string) =>
  `rules:\n  - {name: ${name}, spiffe_ids: ["spiffe://example.org/**"], paths: ["**"], actions: [read]}\n`;

function open(options: { readonly file?: string | undefined } = { file }): PolicySource {
  const watch = (_directory: string, onEvent: () => void) => {
    hint = onEvent;
    return () => {};
  };
  source = PolicySource.open({ file: options.file, admins: [], log: createLogger("info", log), timers, watch });
  return source;
}

/** A source whose file contains the policy "first". */
function opened(): PolicySource {
  writeFileSync(file, policy("first"));
  return open();
}

/** The rule in force. */
const inForce = ({ current }: PolicySource) =>
  decidedBy(current.decide(SpiffeId.parse("spiffe://example.org/x"), "read", parseSecretPath("a")));
const logged = (event: string) => log.all.filter((line) => line["event"] === event);

describe("A policy file", () => {
  for (const [what, deliver] of Object.entries(FILE_DELIVERIES)) {
    it(`that ${what} is reloaded, each time`, () => {
      deliver(file, policy("first"));
      const source = open();
      for (const name of ["second", "third"]) {
        deliver(file, policy(name));
        timers.advance(1100);
        assert.equal(inForce(source), name);
      }
      assert.equal(logged("policy loaded").length, 3);
    });
  }

  it("is reloaded by two reads, a tenth of a second apart, after a change that the operating system reports", () => {
    const source = opened();
    writeFileSync(file, policy("second"));
    hint();
    timers.advance(100);
    assert.equal(inForce(source), "first", "one read is not enough, because the writer may not have finished");
    timers.advance(100);
    assert.equal(inForce(source), "second");
  });

  // A file that ends between two rules is a valid policy, with fewer rules.
  it("is not used while it is being written", () => {
    const source = opened();
    for (const text of ["rules: []\n", policy("second"), "rules: []\n"]) {
      writeFileSync(file, text);
      hint();
      timers.advance(100);
      assert.equal(inForce(source), "first");
    }
    writeFileSync(file, policy("third"));
    timers.advance(1100);
    assert.equal(inForce(source), "third");
    assert.equal(logged("policy loaded").length, 2);
  });

  const BAD: readonly [what: string, damage: () => void, details: readonly RegExp[]][] = [
    [
      "has errors",
      () => writeFileSync(file, `${policy("second")}  - {}\n  - {name: x}\n`),
      [3, 3, 3, 4, 4, 4].map((line) => new RegExp(`policy\\.yaml:${line}:5: the rule has no `)),
    ],
    ["is not YAML", () => writeFileSync(file, "rules: [\n"), [/policy\.yaml:2:1: not valid YAML/]],
    ["is empty", () => writeFileSync(file, ""), [/policy\.yaml is empty$/]],
    ["is gone", () => rmSync(file), [/policy\.yaml does not exist$/]],
    ["is too large", () => writeFileSync(file, Buffer.alloc(1024 * 1024 + 1)), [/larger than 1048576 bytes$/]],
  ];
  for (const [what, damage, details] of BAD) {
    it(`that ${what} leaves the previous policy in force; every error is logged once, and the metric shows it`, () => {
      const source = opened();
      timers.advance(5000);
      assert.deepEqual(source.loaded, { isNewest: true, lastLoad: NOW });
      damage();
      timers.advance(10_000);
      assert.equal(inForce(source), "first");
      assert.deepEqual(source.loaded, { isNewest: false, lastLoad: NOW });
      const problems = logged("policy reload failed").map(({ detail }) => String(detail));
      assert.equal(problems.length, details.length, problems.join("\n"));
      for (const [index, detail] of problems.entries()) assert.match(detail, details[index]!);

      writeFileSync(file, policy("second"));
      hint();
      timers.advance(200);
      assert.equal(inForce(source), "second");
      assert.deepEqual(source.loaded, { isNewest: true, lastLoad: timers.clock() });
    });

    it(`that ${what} is refused at the start, with every error`, () => {
      opened().close();
      damage();
      assert.throws(open, (error) => {
        assert.ok(error instanceof StartRefused);
        assert.equal(error.problems.length, details.length);
        for (const [index, problem] of error.problems.entries()) assert.match(problem, details[index]!);
        return true;
      });
    });
  }

  it("that is valid again comes into force, even if it is the previous one", () => {
    const source = opened();
    writeFileSync(file, "nonsense");
    timers.advance(1100);
    assert.equal(source.loaded.isNewest, false);
    writeFileSync(file, policy("first"));
    timers.advance(1100);
    assert.equal(source.loaded.isNewest, true);
    assert.equal(inForce(source), "first");
  });

  // An authorizer caches its decisions, and only a new authorizer begins with an empty cache. A reload requests one.
  it("that does not change creates no new authorizer, except at a reload", () => {
    const source = opened();
    const { current } = source;
    timers.advance(60_000);
    assert.equal(source.current, current);
    source.reload();
    timers.advance(100);
    assert.notEqual(source.current, current);
    assert.equal(source.current.epoch, current.epoch + 1);
    assert.equal(logged("policy loaded").length, 2);
  });

  it("is not followed after the source is closed", () => {
    const source = opened();
    source.close();
    writeFileSync(file, policy("second"));
    hint();
    source.reload();
    assert.deepEqual(timers.pauses, []);
    assert.equal(inForce(source), "first");
  });
});

it("Without a policy file there are no rules, and no file is read", () => {
  const source = open({ file: undefined });
  source.reload();
  assert.deepEqual(timers.pauses, []);
  assert.equal(inForce(source), "no rule");
  assert.equal(source.loaded.isNewest, true);
});

// A user who can write the policy decides what every caller may do.
describe("A policy file that other users can write", () => {
  const OPEN = [0o666, 0o646, 0o602];

  it("is refused at the start", () => {
    writeFileSync(file, policy("first"));
    for (const mode of OPEN) {
      chmodSync(file, mode);
      assert.throws(
        () => open(),
        (error) =>
          error instanceof StartRefused &&
          /^the policy .*policy\.yaml can be changed by every user .*; run: chmod go-w /.test(error.message),
      );
    }
    chmodSync(file, 0o644);
    assert.equal(inForce(open()), "first");
  });

  it("does not replace the policy in force", () => {
    const source = opened();
    for (const mode of OPEN) {
      writeFileSync(file, policy("second"));
      chmodSync(file, mode);
      timers.advance(1100);
      assert.equal(inForce(source), "first");
    }
    assert.match(String(logged("policy reload failed")[0]?.["detail"]), /can be changed by every user/);
    chmodSync(file, 0o644);
    timers.advance(1100);
    assert.equal(inForce(source), "second");
  });
});
