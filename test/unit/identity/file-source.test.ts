import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { FileSource } from "../../../src/identity/file-source.ts";
import type { IdentityFiles } from "../../../src/identity/identity-files.ts";
import { MaterialError } from "../../../src/spiffe/material-error.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { example, forge, ID, NOW, other } from "../../support/chain-world.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-identity-"));
after(() => rmSync(folder, { recursive: true }));

const svid = example.issue({ id: ID });

function write(name: string, text: string, mode = 0o600): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const good: IdentityFiles = {
  cert: write("svid.pem", svid.certPem, 0o644),
  key: write("svid_key.pem", svid.keyPem),
  bundles: new Map([
    ["example.org", write("example.pem", example.bundlePem, 0o644)],
    ["other.org", write("other.pem", other.bundlePem, 0o644)],
  ]),
};

function open(files: Partial<IdentityFiles> = {}, now: number = NOW): FileSource {
  return FileSource.open({ files: { ...good, ...files }, purpose: "server", timers: new ManualTimers(now) });
}

function problems(files: Partial<IdentityFiles>, now: number = NOW): readonly string[] {
  try {
    open(files, now).snapshot();
    return [];
  } catch (error) {
    assert.ok(error instanceof MaterialError, String(error));
    return error.problems;
  }
}

describe("FileSource.open", () => {
  it("provides one snapshot of a set of files that match each other", () => {
    const source = open();
    const { generation, svid, bundles } = source.snapshot();
    assert.equal(generation, 1);
    assert.equal(String(svid.id), ID);
    assert.deepEqual([...bundles.keys()], ["example.org", "other.org"]);
    assert.equal(bundles.get("other.org")?.authorities.length, 1);
    assert.equal(source.snapshot(), source.snapshot());
    source.onChange(() => {})();
    source.close();
    assert.equal(source.snapshot().generation, 1);
  });

  it("follows symbolic links, which is how Kubernetes mounts files", () => {
    const key = join(folder, "linked_key.pem");
    symlinkSync("svid_key.pem", key);
    assert.deepEqual(problems({ key }), []);
  });

  it("refuses an SVID that is not valid now", () => {
    assert.deepEqual(problems({}, NOW), []);
    assert.match(
      problems({}, NOW + 3600_001)[0]!,
      /svid\.pem, verified with .*example\.pem: the leaf expired at 2026-/,
    );
    assert.match(problems({}, NOW - 10_001)[0]!, /the leaf is valid from 2026-/);
  });

  it("refuses an SVID that the bundle of its trust domain does not verify", () => {
    const rogue = write("rogue.pem", forge.ca("spiffe://example.org").bundlePem);
    const [said, ...more] = problems({ bundles: new Map([["example.org", rogue]]) });
    assert.match(said!, /svid\.pem, verified with .*rogue\.pem: no CA in the bundle/);
    assert.deepEqual(more, []);
  });

  it("refuses an SVID whose trust domain has no bundle", () => {
    const [said] = problems({ bundles: new Map([["other.org", good.bundles.get("other.org")!]]) });
    assert.match(said!, /is an X\.509-SVID of example\.org, but there is no bundle for example\.org$/);
  });

  it("refuses a bundle that is given for the wrong trust domain", () => {
    const bundles = new Map([...good.bundles, ["third.org", good.bundles.get("other.org")!]]);
    assert.match(
      problems({ bundles })[0]!,
      /belongs to the trust domain other\.org, but the bundle is given for third\.org/,
    );
  });

  it("refuses an invalid trust domain name", () => {
    const bundles = new Map([...good.bundles, ["Other.org", good.bundles.get("other.org")!]]);
    assert.match(problems({ bundles })[0]!, /^a bundle is given for "Other\.org": the trust domain contains "O"/);
  });

  it("refuses a key that others can read", () => {
    const key = write("open_key.pem", svid.keyPem, 0o644);
    assert.match(problems({ key })[0]!, /open_key\.pem is open to every user of this machine .*chmod 0600/);
    chmodSync(key, 0o600);
    assert.deepEqual(problems({ key }), []);
  });

  it("reports all problems of a set together", () => {
    const files = { cert: join(folder, "absent.pem"), key: write("open_key.pem", svid.keyPem, 0o644) };
    const bundles = new Map([
      ["example.org", join(folder, "gone.pem")],
      ["other.org", write("text.pem", "text")],
    ]);
    const said = problems({ ...files, bundles });
    assert.equal(said.length, 4, said.join("\n"));
    assert.match(said[0]!, /absent\.pem does not exist$/);
    assert.match(said[1]!, /open_key\.pem is open to every user/);
    assert.match(said[2]!, /gone\.pem, the bundle of example\.org, does not exist$/);
    assert.match(said[3]!, /text\.pem contains no PEM block$/);
  });

  it("never shows the contents of a key", () => {
    const secret = svid.keyPem.split("\n")[1]!;
    const key = write("broken_key.pem", svid.keyPem.replace("\nMI", "\nMJ"));
    const said = problems({ key }).join("\n");
    assert.match(said, /the private key is malformed/);
    assert.ok(!said.includes(secret.slice(4, 20)));
  });
});
