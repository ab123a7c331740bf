import { CofferError } from "../domain/errors.ts";
import { parseSecretPath, type SecretPath } from "../domain/secret-path.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import { InvalidRule, quoted } from "./invalid-rule.ts";

// A pattern is written like what it matches, a path or a SPIFFE ID, with wildcards in place of whole segments:
//   *   exactly one segment, any
//   **  one segment or more; the last segment only
// What is matched has been parsed before, so that its segments are well formed and "/" is nothing but their separator.

/** Covers secret paths. */
export class PathPattern {
  /** As it was written. */
  readonly text: string;
  readonly #shape: RegExp;

  private constructor(text: string) {
    this.text = text;
    this.#shape = shapeOf(text);
  }

  /** Reads a secret path (see {@link parseSecretPath}) that may have wildcards. Throws {@link InvalidRule}. */
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

/** Covers SPIFFE IDs of one trust domain, which is always written out. */
export class SpiffeIdPattern {
  /** As it was written. */
  readonly text: string;
  readonly trustDomain: TrustDomain;
  readonly #shape: RegExp;

  private constructor(text: string, trustDomain: TrustDomain) {
    this.text = text;
    this.trustDomain = trustDomain;
    this.#shape = shapeOf(text);
  }

  /** Reads a workload's SPIFFE ID whose path may have wildcards. Throws {@link InvalidRule}. */
  static parse(text: string): SpiffeIdPattern {
    return explained(text, "SPIFFE ID pattern", () => {
      checkAuthority(text);
      checkWildcards(text);
      const example = SpiffeId.parse(exampleOf(text));
      // It would match nobody, and whoever writes it means everybody (X509-SVID 5.2: a workload's ID has a path).
      if (!example.isWorkload) throw new InvalidRule(`it names no workload; write ${text}/** for all of them`);
      return new SpiffeIdPattern(text, example.trustDomain);
    });
  }

  matches(id: SpiffeId): boolean {
    return this.#shape.test(id.toString());
  }
}

/** Gives every way in which reading can fail one form: what was read, and then why it is refused. */
function explained<P>(text: string, what: string, read: () => P): P {
  try {
    return read();
  } catch (error) {
    throw new InvalidRule(`${quoted(text)} is no ${what}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof SpiffeIdError) return `it ${error.message}`;
  if (error instanceof CofferError || error instanceof InvalidRule) return error.message;
  throw error;
}

/** A wildcard here would let a rule reach into trust domains that are federated later. */
function checkAuthority(text: string): void {
  const authority = text.split("/")[2];
  if (authority?.includes("*")) throw new InvalidRule("its trust domain must be written out, without *");
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

/** The shortest text that the pattern matches: a pattern is well formed if this is. */
function exampleOf(text: string): string {
  return text.replaceAll("**", "x").replaceAll("*", "x");
}

/**
 * A segment ends only where "/" says so, hence the expression never has two ways to match, and a test takes time
 * proportional to the text, whatever the pattern. It makes no strings: this runs on every call.
 */
function shapeOf(text: string): RegExp {
  return new RegExp(`^${text.split("/").map(shapeOfSegment).join("/")}$`);
}

function shapeOfSegment(segment: string): string {
  if (segment === "**") return ".+";
  if (segment === "*") return "[^/]+";
  // Of the characters that a literal segment can have, the dot alone means something in an expression.
  return segment.replaceAll(".", "\\.");
}
