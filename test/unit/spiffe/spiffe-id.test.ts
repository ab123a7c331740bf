import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SpiffeId, trustDomainOf } from "../../../src/spiffe/spiffe-id.ts";
import { SpiffeIdError, type SpiffeIdRule } from "../../../src/spiffe/spiffe-id-error.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";

interface IdCase {
  readonly id: string;
  readonly valid: boolean;
  readonly reason: string | null;
  readonly trustDomain?: string;
  readonly path?: string;
  readonly leafUsable?: boolean;
}

interface Vectors {
  readonly fromString: readonly IdCase[];
  readonly trustDomainFromString: readonly {
    readonly input: string;
    readonly valid: boolean;
    readonly reason: string | null;
    readonly trustDomain?: string;
  }[];
  readonly fromSegments: readonly {
    readonly segments: readonly string[];
    readonly valid: boolean;
    readonly path?: string;
  }[];
  readonly paths: readonly { readonly path: string; readonly valid: boolean }[];
}

// The compiler does not copy data files, so they are read from the working directory of the tests, the root of the
// project.
const vectors: Vectors = JSON.parse(readFileSync("test/vectors/spiffeid-cases.json", "utf8"));

/** The rules of SpiffeIdRule by the reasons in the vectors. */
const RULES: Readonly<Record<string, SpiffeIdRule>> = {
  "cannot be empty": "empty",
  "SPIFFE ID exceeds 2048 bytes": "too-long",
  "scheme is missing or invalid": "scheme",
  "trust domain is missing": "no-trust-domain",
  "trust domain exceeds 255 bytes": "trust-domain-too-long",
  "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores":
    "trust-domain-character",
  "path segment characters are limited to letters, numbers, dots, dashes, and underscores": "path-character",
  "path cannot contain empty segments": "empty-segment",
  "path cannot contain dot segments": "dot-segment",
  "path cannot have a trailing slash": "trailing-slash",
};

function ruleBroken(parse: () => unknown): SpiffeIdRule | "none" {
  try {
    parse();
    return "none";
  } catch (error) {
    assert.ok(error instanceof SpiffeIdError, String(error));
    return error.rule;
  }
}

describe("SpiffeId.parse", () => {
  it("parses every valid ID of the vectors, and writes it unchanged", () => {
    const good = vectors.fromString.filter(({ valid }) => valid);
    assert.ok(good.length > 90);
    for (const { id, trustDomain, path, leafUsable } of good) {
      const parsed = SpiffeId.parse(id);
      assert.equal(parsed.trustDomain.name, trustDomain, id);
      assert.equal(parsed.path, path, id);
      assert.equal(parsed.isWorkload, leafUsable, id);
      assert.equal(String(parsed), id);
      assert.ok(SpiffeId.parse(Buffer.from(id)).equals(parsed), id);
    }
  });

  it("refuses every invalid ID of the vectors with the expected rule, as text and as bytes", () => {
    const bad = vectors.fromString.filter(({ valid }) => !valid);
    assert.ok(bad.length > 300);
    for (const { id, reason } of bad) {
      const rule = RULES[reason!];
      assert.ok(rule, `no rule for: ${reason}`);
      assert.equal(
        ruleBroken(() => SpiffeId.parse(id)),
        rule,
        JSON.stringify(id),
      );
      assert.equal(
        ruleBroken(() => SpiffeId.parse(Buffer.from(id))),
        rule,
        JSON.stringify(id),
      );
    }
  });

  it("accepts exactly the paths that consist of valid segments", () => {
    for (const { segments, valid, path } of vectors.fromSegments) {
      // A segment with a slash becomes two segments in the text, which only a function that takes segments could
      // refuse.
      if (segments.some((segment) => segment.startsWith("/"))) continue;
      const text = ["spiffe://td", ...segments].join("/");
      assert.equal(ruleBroken(() => SpiffeId.parse(text)) === "none", valid, text);
      if (valid) assert.equal(SpiffeId.parse(text).path, path);
    }
    for (const { path, valid } of vectors.paths.filter(({ path }) => path === "" || path.startsWith("/"))) {
      assert.equal(ruleBroken(() => SpiffeId.parse(`spiffe://td${path}`)) === "none", valid, path);
    }
  });

  it("refuses bytes that are not text", () => {
    assert.equal(
      ruleBroken(() => SpiffeId.parse(Buffer.from("spiffe://td/\xe9", "latin1"))),
      "path-character",
    );
    assert.equal(
      ruleBroken(() => SpiffeId.parse(Buffer.from("spiffe://t\xff/a", "latin1"))),
      "trust-domain-character",
    );
    assert.equal(
      ruleBroken(() => SpiffeId.parse(Buffer.from("spiffe://td/a"))),
      "none",
    );
  });

  it("reads the bytes of a view, not those of the memory around it", () => {
    const memory = new TextEncoder().encode("xxspiffe://td/axx");
    assert.equal(String(SpiffeId.parse(memory.subarray(2, -2))), "spiffe://td/a");
  });

  // An accepted text is the only spelling of its ID, and consists of the characters that the specification lists.
  it("accepts no text that it would write differently", () => {
    const part = fc.oneof(
      fc.stringMatching(/^[a-z0-9.]{1,4}$/),
      fc.stringMatching(/^[a-zA-Z0-9._\-/%?#@: \u00e9]{0,8}$/),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.constantFrom("spiffe://", "SPIFFE://", "spiffe:/", ""), part, part, (scheme, host, path) => {
        const text = `${scheme}${host}/${path}`;
        if (ruleBroken(() => SpiffeId.parse(text)) !== "none") return;
        accepted++;
        assert.equal(String(SpiffeId.parse(text)), text);
        assert.match(text, /^spiffe:\/\/[a-z0-9._-]+(\/[a-zA-Z0-9._-]+)*$/);
        assert.doesNotMatch(SpiffeId.parse(text).path, /\/\.{1,2}(\/|$)/);
      }),
      { numRuns: 3000 },
    );
    assert.ok(accepted > 0, "nothing was accepted, so nothing was tested");
  });

  it("is immutable", () => {
    const id = SpiffeId.parse("spiffe://example.org/api");
    assert.throws(() => Object.assign(id, { path: "/admin" }), TypeError);
    assert.throws(() => Object.assign(id.trustDomain, { name: "other.org" }), TypeError);
    assert.equal(JSON.stringify({ id }), '{"id":"spiffe://example.org/api"}');
  });

  it("has error messages that complete a sentence that begins with 'the SPIFFE ID'", () => {
    const message = (id: string | Uint8Array) => {
      try {
        return String(SpiffeId.parse(id));
      } catch (error) {
        return (error as Error).message;
      }
    };
    assert.equal(message(""), "is empty");
    assert.equal(message("https://td/a"), "does not begin with spiffe://");
    assert.equal(message("spiffe://Td/a"), 'has a trust domain that contains "T"; allowed are a-z 0-9 . _ -');
    assert.equal(
      message("spiffe://td/a b"),
      "has a path that contains the byte 0x20; allowed are A-Z a-z 0-9 . _ - and / between segments",
    );
  });
});

describe("trustDomainOf", () => {
  it("agrees with the vectors for names and for IDs", () => {
    assert.ok(vectors.trustDomainFromString.length > 200);
    for (const { input, valid, reason, trustDomain } of vectors.trustDomainFromString) {
      const expected = valid ? "none" : RULES[reason!];
      assert.equal(
        ruleBroken(() => trustDomainOf(input)),
        expected,
        JSON.stringify(input),
      );
      if (valid) assert.equal(trustDomainOf(input).name, trustDomain);
    }
  });
});

describe("TrustDomain.parse", () => {
  it("accepts only a bare name", () => {
    assert.equal(TrustDomain.parse("__proto__").name, "__proto__");
    assert.equal(TrustDomain.parse("a".repeat(255)).name.length, 255);
    assert.equal(
      ruleBroken(() => TrustDomain.parse("a".repeat(256))),
      "trust-domain-too-long",
    );
    assert.equal(
      ruleBroken(() => TrustDomain.parse("spiffe://example.org")),
      "trust-domain-character",
    );
    assert.equal(
      ruleBroken(() => TrustDomain.parse("")),
      "no-trust-domain",
    );
  });
});
