import type { Content } from "../domain/content.ts";
import { CofferError } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { decodeContent } from "../store/content-format.ts";
import type { WatchableMemory } from "../store/memory.ts";
import type { Position } from "../store/position.ts";
import { openVersion } from "../store/readable-version.ts";
import { type StoredSecret, type Version, newest, stateAt } from "../store/secret.ts";
import type { StoreClock } from "../store/store-clock.ts";
import { type TimelinePosition, positionOf } from "./bookmark.ts";
import type { PurgedEvent, SecretStateEvent } from "./watch-event.ts";

/** An event whose content is not decrypted yet. */
export interface PreparedEvent {
  /** The bytes of its content. */
  readonly bytes: number;
  /** Creates the event. Call it in the turn of the event loop in which the event was prepared. */
  readonly make: () => SecretStateEvent | PurgedEvent;
}

/** What an {@link EventMaker} needs. */
export interface EventMakerOptions {
  readonly memory: WatchableMemory;
  readonly sealer: Sealer;
  readonly clock: Pick<StoreClock, "now">;
}

/** Creates events from the newest states of secrets. */
export class EventMaker {
  readonly #options: EventMakerOptions;

  constructor(options: EventMakerOptions) {
    this.#options = options;
  }

  /** The event of a secret whose last change has this revision; undefined if it has changed since then. */
  prepare(
    { path, revision }: Position & { readonly path: SecretPath },
    withValues: boolean,
  ): PreparedEvent | undefined {
    const stored = this.#options.memory.get(path);
    if (stored === undefined || stored.revision !== revision) return undefined;
    const position = positionOf(revision, this.#options.memory);
    if (stored.kind === "secret") return this.#ofSecret(stored, position, withValues);
    const { lastVersion } = stored;
    return { bytes: 0, make: () => ({ kind: "purged", path, ...position, lastVersion }) };
  }

  #ofSecret(secret: StoredSecret, position: TimelinePosition, withValues: boolean): PreparedEvent {
    const { path } = secret;
    const version = newest(secret);
    if (version === undefined)
      return { bytes: 0, make: () => ({ kind: "secret", path, ...position, newest: undefined, content: undefined }) };
    const state = version.expireTime === undefined ? version.state.kind : stateAt(version, this.#options.clock.now());
    const isOpened = withValues && state === "live";
    const content = () => (isOpened ? this.#open(path, version) : undefined);
    return {
      bytes: isOpened ? version.sealed.length : 0,
      make: () => ({ kind: "secret", path, ...position, newest: { version, state }, content: content() }),
    };
  }

  /** A damaged content must not end a watch of many secrets. A Get of the secret reports the damage. */
  #open(path: SecretPath, version: Version): Content | undefined {
    try {
      return openVersion(this.#options.sealer, path, version, decodeContent);
    } catch (error) {
      if (error instanceof CofferError) return undefined;
      throw error;
    }
  }
}
