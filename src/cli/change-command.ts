import type { Command } from "commander";
import type { CofferClient } from "../client/coffer-client.ts";
import { parseUint32 } from "../config/value.ts";
import type { World } from "../process/world.ts";
import { addOutputOption, printAnswer } from "./answer-output.ts";
import { callsServer } from "./client-command.ts";
import { parsed } from "./parsed.ts";

/** The options of every command that changes a secret. */
interface ChangeFlags {
  readonly requestId?: string;
  readonly expectedVersion?: number;
}

/** What a command gets to make its change. */
interface ChangeSurroundings {
  readonly client: CofferClient;
  /** The options of the call. */
  readonly options: ChangeFlags;
  /** Makes the call, shows its progress, and adds to an error whether the change was applied. */
  readonly attempt: <Answer>(call: () => Promise<Answer>) => Promise<Answer>;
}

/** What a command changes, and what it prints. */
export interface ChangeAction<Answer> {
  /** Reads values and asks for a confirmation if necessary, then makes the change. */
  readonly run: (surroundings: ChangeSurroundings) => Promise<Answer>;
  /** Describes the answer for people, as lines. */
  readonly show: (answer: Answer) => string;
}

/**
 * Makes `command` change the store: adds the options of all changes, and prints the answer as text, or as JSON with
 * `-o json`.
 */
export function changesStore<Answer extends object>(
  command: Command,
  world: World,
  { run, show }: ChangeAction<Answer>,
): void {
  command.option(
    "--request-id <uuid>",
    "repeat a change whose outcome is unknown: with the same id, it is applied once",
    requestId,
  );
  addOutputOption(command);
  callsServer(command, world, async (client) => {
    const { change } = await import("./unclear-change.ts");
    const attempt = <Made>(call: () => Promise<Made>) => change(world, call);
    const answer = await run({ client, options: changeFlags(command), attempt });
    await printAnswer(command, world, answer, show);
  });
}

/** Adds `--expected-version`. `meaning` completes "only if". */
export function addExpectedVersion(command: Command, meaning: string): Command {
  return command.option("--expected-version <n>", `only if ${meaning}`, parsed(parseUint32));
}

/** Adds `--versions`. */
export function addVersions(command: Command): Command {
  return command.option(
    "--versions <list>",
    "the versions, such as 1,2; all of them must exist",
    parsed(parseVersions),
  );
}

/** Adds `--yes`. */
export function addYes(command: Command): Command {
  return command.option("--yes", "do not ask for a confirmation");
}

function changeFlags(command: Command): ChangeFlags {
  const { requestId, expectedVersion } = command.opts<ChangeFlags>();
  return { ...(requestId && { requestId }), ...(expectedVersion !== undefined && { expectedVersion }) };
}

function parseVersions(text: string): number[] {
  return text.split(",").map(parseUint32);
}

// RFC 9562, 4: a UUID as text.
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const requestId = parsed((text) => {
  if (!UUID.test(text)) throw new Error("invalid request id: expected a UUID");
  return text;
});
