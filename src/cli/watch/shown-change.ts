import type { SecretEvent } from "../../client/index.ts";
import type { Content } from "../../domain/content.ts";
import { printable, showTime } from "../printable.ts";
import { valueFields } from "../secret-format.ts";

/** A change of a watched secret, as `coffer watch` shows it. */
export interface ShownChange {
  /** When this command received it, in milliseconds since the epoch. */
  readonly time: number;
  readonly path: string;
  /** The number of the newest version; undefined if the secret is gone or has no version. */
  readonly version: number | undefined;
  /**
   * The state of the newest version: LIVE, DELETED, DESTROYED or EXPIRED; NONE if there is no version. PURGED, REVOKED or
   * VANISHED if the secret is gone, may no longer be watched, or is missing in a new snapshot.
   */
  readonly state: string;
  /** Undefined if the secret is gone. */
  readonly revision: number | undefined;
  readonly createTime: number | undefined;
  readonly expireTime: number | undefined;
  /** Undefined without `--values`, and if the newest version is not live. */
  readonly content: Content | undefined;
}

/** The change that an event describes; undefined for an event about the stream itself. */
export function shownChange(event: SecretEvent, time: number): ShownChange | undefined {
  if (event.kind === "secret") {
    const { path, version, revision, createTime, expireTime, content } = event;
    const state = event.state.toUpperCase();
    return { time, path, version: version || undefined, state, revision, createTime, expireTime, content };
  }
  if (event.kind !== "gone") return undefined;
  const nothing = { version: undefined, revision: undefined, createTime: undefined, expireTime: undefined };
  return { time, path: event.path, state: event.reason.toUpperCase(), ...nothing, content: undefined };
}

/** The change as a line: time, path, version and state, each separated by a space. */
export function changeText({ time, path, version, state }: ShownChange): string {
  return `${showTime(time)} ${printable(path)} ${version ?? "-"} ${state}\n`;
}

/** The change as a line of JSON. */
export function changeJson(change: ShownChange): string {
  const { time, path, version, state, revision, createTime, expireTime, content } = change;
  return jsonLine({
    time: showTime(time),
    event: "change",
    path,
    version,
    state,
    revision,
    ...(createTime !== undefined && { create_time: showTime(createTime) }),
    ...(expireTime !== undefined && { expire_time: showTime(expireTime) }),
    ...(content !== undefined && valueFields(content.entries())),
  });
}

/** The end of a snapshot, or of what has changed since a reconnect, as a line of JSON. */
export function syncedJson(event: Extract<SecretEvent, { readonly kind: "synced" }>, time: number): string {
  const { revision, readable, requested } = event;
  return jsonLine({ time: showTime(time), event: "synced", revision, readable, requested });
}

function jsonLine(fields: object): string {
  return `${JSON.stringify(fields)}\n`;
}
