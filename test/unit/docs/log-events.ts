import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The events that the calls of loggers in a text of code write. */
export interface LoggedEvents {
  /** Each event with the levels at which it is written, sorted. */
  readonly levels: ReadonlyMap<string, readonly string[]>;
  /** First arguments that are not a literal event. */
  readonly hidden: readonly string[];
}

/** A call of a logger. No other object in src has methods with these names. */
const CALL = /\.(?<level>error|warn|info|debug)\(\s*(?<first>[^,)]*)/g;

/** The event that the logger itself writes, through winston. */
const OWN = /level: "(?<level>\w+)", message: (?<first>"[^"]+")/g;

/** A literal event, or a choice between two. */
const LITERAL = /^"(?<event>[^"]+)"$/;
const CHOICE = /^[^?]+ \? "(?<one>[^"]+)" : "(?<other>[^"]+)"$/;

/** Finds the events in code of src. */
export function loggedEvents(code: string): LoggedEvents {
  const calls = [...code.matchAll(CALL), ...code.matchAll(OWN)].map(({ groups }) => ({
    level: groups!["level"]!,
    first: groups!["first"]!,
    events: eventsIn(groups!["first"]!),
  }));
  const levels = new Map<string, string[]>();
  for (const { level, events } of calls) {
    for (const event of events) levels.set(event, [...new Set([...(levels.get(event) ?? []), level])].sort());
  }
  return { levels, hidden: calls.filter(({ events }) => events.length === 0).map(({ first }) => first) };
}

function eventsIn(first: string): string[] {
  const groups = (LITERAL.exec(first) ?? CHOICE.exec(first))?.groups;
  return Object.values(groups ?? {});
}

/** A file of src. */
export interface SourceFile {
  readonly path: string;
  /** Its text without comments. */
  readonly code: string;
}

/** Whether a file belongs to `coffer agent`, which has its own log. */
export function isOfAgent(path: string): boolean {
  return /^src\/(agent\/|cli\/agent-running)/.test(path);
}

/** Every file of src. */
export function sourceFiles(): SourceFile[] {
  return readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join("src", name))
    .map((path) => ({ path, code: withoutComments(readFileSync(path, "utf8")) }));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*\*.*?\*\//gs, "").replace(/^\s*\/\/.*$/gm, "");
}
