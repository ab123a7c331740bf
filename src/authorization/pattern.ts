import { CofferError } from "../domain/errors.ts";
import { parseSecretPath, type SecretPath } from "../domain/secret-path.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import { InvalidRule, quoted } from "./invalid-rule.ts";

// A pattern is a path or a SPIFFE ID, with wildcards for whole segments:
//   *   any one segment
//   **  any one or more segments, only as the last segment
// Texts are parsed before they are matched, so their segments are well-formed and "/" only separates segments.

/** A pattern of secret paths. */
export class PathPattern {
  /** The text of the pattern. */
  readonly text: string;
  readonly #shape: RegExp;

  private constructor(text: string) {
    this.text = text;
    this.#shape = shapeOf(text);
  }

  /** Parses a secret path (see {@link parseSecretPath}) that can have wildcards. Throws {@link InvalidRule}. */
  static parse(text: string): PathPattern {
    return explained(text, "path pattern", () => {
      checkWildcards(text);
      parseSecretPath(exampleOf(text));
      return new PathPattern(text);
    });
  }

  matches(path: SecretPath): boolean {
    return this.#shape.test(path);
  }
}

/** A pattern of SPIFFE IDs of one trust domain. The trust domain has no wildcards. */
export class SpiffeIdPattern {
  /** The text of the pattern. */
  readonly text: string;
  readonly trustDomain: TrustDomain;
  readonly #shape: RegExp;

  private constructor(text: string, trustDomain: TrustDomain) {
    this.text = text;
    this.trustDomain = trustDomain;
    this.#shape = shapeOf(text);
  }

  /** Parses a workload's SPIFFE ID whose path can have wildcards. Throws {@link InvalidRule}. */
  static parse(text: string): SpiffeIdPattern {
    return explained(text, "SPIFFE ID pattern", () => {
      checkTrustDomain(text);
      checkWildcards(text);
      const example = SpiffeId.parse(exampleOf(text));
      // An ID without a path would match no workload (X509-SVID 5.2), and the author probably means all workloads.
      if (!example.isWorkload) throw new InvalidRule(`it has no path; for all workloads, write ${text}/**`);
      return new SpiffeIdPattern(text, example.trustDomain);
    });
  }

  matches(id: SpiffeId): boolean {
    return this.#shape.test(id.toString());
  }
}

/** Gives all parse errors the same form. */
function explained<P>(text: string, what: string, read: () => P): P {
  try {
    return read();
  } catch (error) {
    throw new InvalidRule(`invalid ${what} ${quoted(text)}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SpiffeIdError) return `it ${error.message}`;
  if (error instanceof CofferError || error instanceof InvalidRule) return error.message;
  throw error;
}

/** With a wildcard in the trust domain, a rule would also match trust domains that are federated later. */
function checkTrustDomain(text: string): void {
  const trustDomain = text.split("/")[2];
  if (trustDomain?.includes("*")) throw new InvalidRule("its trust domain must not contain *");
}

function checkWildcards(text: string): void {
  const segments = text.split("/");
  const last = segments.length - 1;
  segments.forEach((segment, index) => {
    if (segment === "**" && index < last) throw new InvalidRule("** is allowed as the last segment only");
    if (!segment.includes("*") || segment === "*" || segment === "**") return;
    const allowed = "* stands for one whole segment, and ** for one or more at the end";
    throw new InvalidRule(`the segment ${quoted(segment)} mixes * with other characters; ${allowed}`);
  });
}

/** A text that the pattern matches. The pattern is well-formed if this text is. */
function exampleOf(text: string): string {
  return text.replaceAll("**", "x").replaceAll("*", "x");
}

/**
 * Builds a regular expression. Segments end only at "/", so there is never more than one way to match, and a match
 * takes time proportional to the text, for any pattern. A match creates no strings, because it runs on every call.
 */
function shapeOf(text: string): RegExp {
  return new RegExp(`^${text.split("/").map(shapeOfSegment).join("/")}$`);
}

function shapeOfSegment(segment: string): string {
  if (segment === "**") return ".+";
  if (segment === "*") return "[^/]+";
  // The dot is the only character of a literal segment with a meaning in regular expressions.
  return segment.replaceAll(".", "\\.");
}
