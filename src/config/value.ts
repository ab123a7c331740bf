import { INSTANCE_FORM, isInstanceName } from "../contract/instance-name.ts";
import { isKeyText } from "../domain/key-text.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";

// Parsers for the values of options. Each throws an Error whose message says what is expected.

const UNITS = new Map([
  ["", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

/** Bytes: `1048576`, `512KiB`, `1MiB`, `2GiB`. At least 1 and at most `most`. */
export function parseBytes(text: string, most: number = Number.MAX_SAFE_INTEGER): number {
  const match = /^(?<count>\d+)\s*(?<unit>|KiB|MiB|GiB)$/.exec(text)?.groups;
  const bytes = Number(match?.["count"]) * (UNITS.get(match?.["unit"] ?? "") ?? Number.NaN);
  if (match === undefined || bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw new Error(`invalid size ${JSON.stringify(text)}: expected bytes, or a number with KiB, MiB or GiB`);
  }
  if (bytes > most) throw new Error(`${text} is more than the maximum of ${formatBytes(most)}`);
  return bytes;
}

/** The largest unit that divides evenly: 1048576 is "1 MiB". */
export function formatBytes(bytes: number): string {
  const [name, size] = [...UNITS].reverse().find(([, size]) => bytes % size === 0) ?? ["", 1];
  return `${bytes / size} ${name === "" ? "bytes" : name}`;
}

/** A day in milliseconds. */
export const DAY_MS = 24 * 3_600_000;

const MILLISECONDS = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", DAY_MS],
]);

// A timer of Node can wait for at most 2^31 - 1 ms; with a longer time it does not wait at all.
const MAX_WAIT_MS = 24 * DAY_MS;

/** Milliseconds, at most `most`: `500ms`, `10s`, `5m`, `1h`, `90d`. The default maximum, 24 days, suits a timer. */
export function parseDuration(text: string, most: number = MAX_WAIT_MS): number {
  const match = /^(?<count>\d{1,12})(?<unit>ms|s|m|h|d)$/.exec(text)?.groups;
  const unit = MILLISECONDS.get(match?.["unit"] ?? "");
  if (unit === undefined)
    throw new Error(`invalid duration ${JSON.stringify(text)}: expected a number with ms, s, m, h or d`);
  const ms = Number(match?.["count"]) * unit;
  if (ms > most) throw new Error(`${text} is more than the maximum of ${formatDays(most)}`);
  return ms;
}

/** Whole days, such as 90d. */
export function formatDays(ms: number): string {
  return `${ms / DAY_MS}d`;
}

/** Permissions in octal, as for chmod: `660`. */
export function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text))
    throw new Error(`invalid mode ${JSON.stringify(text)}: expected three octal digits, such as 660`);
  return Number.parseInt(text, 8);
}

/**
 * The path of a file, which is not verified to exist. Refuses the text of a key: errors name the path, so they would
 * contain the key.
 */
export function parseFilePath(text: string): string {
  if (isKeyText(text)) throw new Error("expected the path of a file, not the text of a key or a certificate");
  return text;
}

/** An unsigned number of 32 bits, such as a version. */
export function parseUint32(text: string): number {
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value >= 2 ** 32) {
    throw new Error(`invalid number ${JSON.stringify(text)}: expected a whole number from 0 to 4294967295`);
  }
  return value;
}

/** A count of at least 1 and at most `most`: `1024`. */
export function parseCount(text: string, most = 999_999_999): number {
  if (!/^[1-9]\d{0,8}$/.test(text) || Number(text) > most) {
    throw new Error(`invalid number ${JSON.stringify(text)}: expected a whole number from 1 to ${most}`);
  }
  return Number(text);
}

/** A parser for one of `choices`. */
export function parseChoice<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined)
      throw new Error(`invalid value ${JSON.stringify(text)}: expected one of ${choices.join(", ")}`);
    return choice;
  };
}

/** A SPIFFE ID, including `spiffe://`. */
export function parseSpiffeId(text: string): SpiffeId {
  return named("SPIFFE ID", text, SpiffeId.parse);
}

/** The name of a trust domain, without `spiffe://`. */
export function parseTrustDomain(text: string): TrustDomain {
  return named("trust domain", text, TrustDomain.parse);
}

/** The name of an instance of a workload, in reports. */
export function parseInstance(text: string): string {
  if (text !== "" && isInstanceName(text)) return text;
  throw new Error(`invalid name: expected ${INSTANCE_FORM}`);
}

/** A trust domain and the file of its bundle. */
export interface NamedBundle {
  readonly trustDomain: TrustDomain;
  readonly file: string;
}

/** `<trust-domain>=<pem>`. */
export function parseNamedBundle(text: string): NamedBundle {
  const equals = text.indexOf("=");
  const file = text.slice(equals + 1);
  if (equals === -1 || file === "")
    throw new Error(`invalid bundle ${JSON.stringify(text)}: expected <trust-domain>=<pem>`);
  return { trustDomain: parseTrustDomain(text.slice(0, equals)), file };
}

/** Completes the errors of `parse`, which continue a sentence about the text ("is empty"). */
function named<T>(what: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`invalid ${what} ${JSON.stringify(text)}: it ${(error as Error).message}`);
  }
}
