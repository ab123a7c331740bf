import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { Bundle } from "../../../src/spiffe/bundle.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { verifySvid } from "../../../src/spiffe/verify.ts";
import { type MintedCredential, type MintReport, mintDevelopmentPki } from "../../../src/pki/development.ts";

const NOW = Date.UTC(2026, 5, 1, 12, 0, 0);
const DAY = 86_400_000;
const FILES = ["admin.key", "admin.pem", "api.key", "api.pem", "bundle.pem", "ca.key"].concat([
  "coffer.key",
  "coffer.pem",
  "web.key",
  "web.pem",
]);
const ALL = ["ca", "coffer", "admin", "api", "web"];
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A folder that does not exist yet, and a function that mints into it. */
function setUp() {
  const parent = mkdtempSync(join(tmpdir(), "coffer-pki-"));
  folders.push(parent);
  const dir = join(parent, "certs", "dev");
  const mint = (now = NOW, domain = "example.org") =>
    mintDevelopmentPki({ dir, trustDomain: TrustDomain.parse(domain), clock: () => now });
  const file = (name: string) => join(dir, name);
  const contents = () =>
    new Map(
      readdirSync(dir)
        .sort()
        .map((name) => [name, readFileSync(file(name), "utf8")]),
    );
  return { dir, mint, file, contents };
}

/** The credentials that a run created, with the reason, such as "api: missing". */
function made(report: MintReport): string[] {
  const entries = Object.entries(report) as [string, MintedCredential][];
  return entries.flatMap(([name, { because }]) => (because === undefined ? [] : [`${name}: ${because}`]));
}

const all = (because: string, ...names: string[]) => names.map((name) => `${name}: ${because}`);

// The first run creates all files, with the right modes, and no others.
test("mintDevelopmentPki creates all files in an empty folder", () => {
  const { dir, mint, file } = setUp();
  assert.deepEqual(made(mint()), all("missing", ...ALL));
  assert.deepEqual(readdirSync(dir).sort(), FILES);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  for (const name of FILES.filter((name) => name.endsWith(".key")))
    assert.equal(statSync(file(name)).mode & 0o777, 0o600);
});

// Coffer's verifier accepts each SVID with the bundle in the same folder, and the report matches the certificates.
test("mintDevelopmentPki mints certificates that are accepted", () => {
  const { mint } = setUp();
  const { ca, ...svids } = mint();
  const domain = TrustDomain.parse("example.org");
  const bundles = new Map([[domain.name, Bundle.fromPem(domain, readFileSync(ca.certFile), "bundle.pem")]]);
  const paths = { coffer: "/coffer", admin: "/admin", api: "/ns/shop/sa/api", web: "/ns/shop/sa/web" };
  for (const [name, path] of Object.entries(paths)) {
    const { id, certFile, notAfter } = svids[name as keyof typeof svids];
    const certificate = new X509Certificate(readFileSync(certFile));
    const verified = verifySvid([certificate.raw], bundles, NOW, "server");
    assert.equal(verified.id.toString(), `spiffe://example.org${path}`);
    assert.deepEqual([id, notAfter], [verified.id.toString(), verified.validUntil]);
    assert.equal(certificate.checkHost("localhost"), name === "coffer" ? "localhost" : undefined);
    assert.equal(certificate.checkIP("127.0.0.1"), name === "coffer" ? "127.0.0.1" : undefined);
  }
});

// A second run changes no byte.
test("mintDevelopmentPki does not replace valid credentials", () => {
  const { mint, contents } = setUp();
  const first = mint();
  const before = contents();
  const second = mint();
  assert.deepEqual(made(second), []);
  assert.deepEqual(contents(), before);
  assert.deepEqual(second.api.notAfter, first.api.notAfter);
});

// Only a defective SVID is replaced. The bundle does not change, because other programs have copies of it.
const damages: Record<string, (file: (name: string) => string) => void> = {
  missing: (file) => rmSync(file("api.pem")),
  unreadable: (file) => writeFileSync(file("api.key"), "", { mode: 0o600 }),
  exposed: (file) => chmodSync(file("api.key"), 0o644),
  // A run that was interrupted between the key and the certificate leaves files that don't match.
  foreign: (file) => copyFileSync(file("web.key"), file("api.key")),
};
for (const [because, damage] of Object.entries(damages)) {
  test(`mintDevelopmentPki replaces only the SVID, if it is ${because}`, () => {
    const { mint, file, contents } = setUp();
    mint();
    const before = contents();
    damage(file);
    assert.deepEqual(made(mint()), all(because, "api"));
    const changed = [...contents()].filter(([name, text]) => before.get(name) !== text).map(([name]) => name);
    assert.deepEqual(changed, ["api.key", "api.pem"]);
    assert.deepEqual(made(mint()), []);
  });
}

// An SVID in the files of another one is replaced, even though the CA signed it and its key matches.
test("mintDevelopmentPki replaces an SVID with another SPIFFE ID", () => {
  const { mint, file } = setUp();
  mint();
  for (const end of ["pem", "key"]) copyFileSync(file(`web.${end}`), file(`api.${end}`));
  assert.deepEqual(made(mint()), all("foreign", "api"));
});

// An SVID is replaced when less than a third of its 30 days is left, and the CA does not change. When less than a third
// of the CA's year is left, or if the clock shows a time before the validity of the certificates, everything is
// replaced.
test("mintDevelopmentPki replaces credentials that are about to expire", () => {
  const { mint } = setUp();
  mint();
  assert.deepEqual(made(mint(NOW + 19 * DAY)), []);
  assert.deepEqual(made(mint(NOW + 21 * DAY)), all("expiring", "coffer", "admin", "api", "web"));
  assert.deepEqual(made(mint(NOW + 240 * DAY)), all("expiring", "coffer", "admin", "api", "web"));
  assert.deepEqual(made(mint(NOW + 250 * DAY)), ["ca: expiring", ...all("foreign", "coffer", "admin", "api", "web")]);
  assert.equal(made(mint(NOW)).length, ALL.length);
});

// A CA belongs to one trust domain, and so do its SVIDs.
test("mintDevelopmentPki replaces everything for another trust domain", () => {
  const { mint } = setUp();
  mint();
  const report = mint(NOW, "example.com");
  assert.deepEqual(made(report), all("foreign", ...ALL));
  assert.equal(report.web.id, "spiffe://example.com/ns/shop/sa/web");
});

// A folder that has files with these names but was not created by this function is not changed: a real bundle or key
// could be lost.
for (const name of ["bundle.pem", "coffer.key", "web.pem"]) {
  test(`mintDevelopmentPki does not change a folder with only a ${name}`, () => {
    const { dir, mint, file, contents } = setUp();
    mint();
    for (const other of FILES) if (other !== name) rmSync(file(other));
    const before = contents();
    assert.throws(() => mint(), {
      name: "PkiError",
      code: "FOREIGN_FOLDER",
      message: new RegExp(`${dir} contains ${name}`),
    });
    assert.deepEqual(contents(), before);
    rmSync(file(name));
    assert.deepEqual(made(mint()), all("missing", ...ALL));
  });
}
