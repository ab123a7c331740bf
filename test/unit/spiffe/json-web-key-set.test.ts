import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Bundle } from "../../../src/spiffe/bundle.ts";
import { MaterialError } from "../../../src/spiffe/material-error.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import type { Issuer } from "../../support/certificate-forge.ts";
import { example, forge, other } from "../../support/chain-world.ts";

const TD = TrustDomain.parse("example.org");
const second = forge.ca(undefined);

/** A CA's key in the form of a bundle. The coordinates of its point are the last bytes of the key in DER. */
function jwk({ key, der }: Issuer, changes: object = {}): object {
  const point = key.publicKey.export({ type: "spki", format: "der" }).subarray(-64);
  const [x, y] = [point.subarray(0, 32).toString("base64url"), point.subarray(32).toString("base64url")];
  return { use: "x509-svid", kty: "EC", crv: "P-256", x, y, x5c: [der.toString("base64")], ...changes };
}

const set = (...keys: readonly unknown[]) => JSON.stringify({ keys });

function read(json: string): Bundle {
  return Bundle.fromFile(TD, Buffer.from(json), "bundle.json");
}

const authorities = (json: string) => read(json).authorities.map(({ der }) => der);

function problem(json: string): string {
  try {
    read(json);
    return "none";
  } catch (error) {
    assert.ok(error instanceof MaterialError, String(error));
    return error.message;
  }
}

const jwt = { use: "jwt-svid", kty: "EC", kid: "1", crv: "P-256", x: "AA", y: "AA" };
const base64 = example.der.toString("base64");

describe("a bundle file in JSON", () => {
  const TAKEN: readonly [what: string, json: string, expected: readonly Buffer[]][] = [
    ["one CA", set(jwk(example)), [example.der]],
    ["several CAs", set(jwk(example), jwk(second)), [example.der, second.der]],
    ["a CA twice", set(jwk(example), jwk(example)), [example.der]],
    ["white space around", ` \r\n\t${set(jwk(example))}\n`, [example.der]],
    ["keys for JWT-SVIDs as well", set(jwt, jwk(example), jwt), [example.der]],
    [
      "an unknown use, or none",
      set(jwk(other, { use: "new" }), jwk(other, { use: undefined }), jwk(example)),
      [example.der],
    ],
    ["a use in upper case, which is ignored", set(jwk(other, { use: "X509-SVID" }), jwk(example)), [example.der]],
    ["an unknown type of key, which is ignored", set(jwk(other, { kty: "new" }), jwk(example)), [example.der]],
    ["an x5c that is missing or empty", set(jwk(second, { x5c: undefined }), jwk(second, { x5c: [] })), []],
    ["no keys", set(), []],
    [
      "an x5c with several certificates: only the first is read",
      set(jwk(example, { x5c: [base64, "junk"] })),
      [example.der],
    ],
    [
      "a sequence number that JSON.parse can't hold",
      `{"spiffe_sequence":9007199254740993,"spiffe_refresh_hint":60,${set(jwk(example)).slice(1)}`,
      [example.der],
    ],
    [
      "equal names in different objects",
      `{"a":{"b":[{"c":"{\\""}],"c":1},"b":2,${set(jwk(example)).slice(1)}`,
      [example.der],
    ],
  ];
  for (const [what, json, expected] of TAKEN) {
    it(`may contain ${what}`, () => assert.deepEqual(authorities(json), expected));
  }

  const twice = set(jwk(example)).slice(1, -1);
  const REFUSED: readonly [what: string, json: string, said: RegExp][] = [
    ["is truncated", set(jwk(example)).slice(0, -1), /^bundle\.json begins like JSON, but is not valid JSON$/],
    ["has no keys", "{}", /^bundle\.json is not a SPIFFE bundle: it has no list "keys"$/],
    ["has keys that are not a list", '{"keys":{}}', /^bundle\.json is not a SPIFFE bundle: it has no list "keys"$/],
    ["has a key that is not an object", set(null), /^bundle\.json, keys\[0\] is not an object$/],
    [
      "has an x5c that is not a list",
      set(jwk(example, { x5c: base64 })),
      /^bundle\.json, keys\[0\]\.x5c is not a list$/,
    ],
    ["has invalid base64", set(jwk(example, { x5c: [`${base64}!`] })), /keys\[0\]\.x5c\[0\] is not plain base64$/],
    ["has a number in place of base64", set(jwk(example, { x5c: [1] })), /keys\[0\]\.x5c\[0\] is not plain base64$/],
    [
      "has base64url in place of base64",
      set(jwk(example, { x5c: ["-_-_"] })),
      /keys\[0\]\.x5c\[0\] is not plain base64$/,
    ],
    [
      "has something else as certificate",
      set(jwt, jwk(example, { x5c: ["AAAA"] })),
      /keys\[1\]\.x5c\[0\]: the certificate is malf/,
    ],
    [
      "has a key that is not that of its certificate",
      set(jwk(example, { x5c: [second.der.toString("base64")] })),
      /keys\[0\] is not the key of the cert/,
    ],
    [
      "has an incomplete key beside the certificate",
      set(jwk(example, { x: undefined })),
      /keys\[0\] is not the key of the cert/,
    ],
    ["has a name twice", `{"keys":[],${twice}}`, /^bundle\.json has the name "keys" twice in one object$/],
    ["has a name twice, written differently", `{"\\u006beys":[],${twice}}`, /the name "keys" twice/],
    [
      "has a name twice in a nested object",
      set(jwk(example)).replace('"use"', '"x5c":[],"use"'),
      /the name "x5c" twice/,
    ],
    [
      "is of another trust domain",
      set(jwk(other)),
      /keys\[0\]\.x5c\[0\]: .* other\.org, .* example\.org; .*include_federated_domains/,
    ],
  ];
  for (const [what, json, said] of REFUSED) {
    it(`is refused when it ${what}`, () => {
      assert.equal(problem(set(jwk(example))), "none");
      assert.match(problem(json), said);
    });
  }

  it("is distinguished from PEM by its first character", () => {
    assert.deepEqual(authorities(example.bundlePem), [example.der]);
    assert.deepEqual(authorities(""), []);
  });
});

describe("Bundle.notAfter", () => {
  it("is the latest notAfter of its CAs", () => {
    const short = forge.ca(undefined, { notAfter: forge.now + 1000 });
    const long = forge.ca(undefined, { notAfter: forge.now + 5000 });
    assert.equal(read(short.bundlePem + long.bundlePem).notAfter, forge.now + 5000);
    assert.equal(read("").notAfter, undefined);
  });
});
