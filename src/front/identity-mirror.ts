import { IdentityListeners } from "../identity/identity-listeners.ts";
import type { IdentitySnapshot, IdentitySource, IdentityState } from "../identity/source.ts";
import { Bundle } from "../spiffe/bundle.ts";
import { identify } from "../spiffe/certificate-rules.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import { Svid } from "../spiffe/svid.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";

/** The state of an identity source as plain data, which can be posted to another thread. It contains the private key. */
export type IdentityMessage =
  | {
      readonly kind: "ready";
      /** Undefined if it is the one of the message before. */
      readonly snapshot: SnapshotMessage | undefined;
      readonly problems: readonly string[];
    }
  | { readonly kind: "waiting" | "failed"; readonly problems: readonly string[] };

interface SnapshotMessage {
  readonly generation: number;
  readonly validUntil: number;
  /** The certificates in DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly keyPem: string;
  /** The CAs in DER, by the bare name of their trust domain. */
  readonly bundles: ReadonlyMap<string, readonly Uint8Array[]>;
}

/**
 * Encodes a state for {@link IdentityMirror.receive}. `before` is the state that was sent before it. A snapshot is sent
 * once, because each message leaves a copy of the private key in memory that is not overwritten.
 */
export function identityMessage(state: IdentityState, before: IdentityState | undefined): IdentityMessage {
  if (state.kind !== "ready") return state;
  const { snapshot, problems } = state;
  const isSent = before?.kind === "ready" && before.snapshot === snapshot;
  return { kind: "ready", snapshot: isSent ? undefined : snapshotMessage(snapshot), problems };
}

function snapshotMessage({ generation, validUntil, svid, bundles }: IdentitySnapshot): SnapshotMessage {
  const authorities = Array.from(bundles, ([name, bundle]) => [name, bundle.authorities.map(bytesOf)] as const);
  const chain = svid.chain.map((der) => new Uint8Array(der));
  return { generation, validUntil, chain, keyPem: svid.keyPem, bundles: new Map(authorities) };
}

/** A copy with memory of its own: a message contains the whole memory of a Buffer, which Node shares among many. */
function bytesOf({ der }: Certificate): Uint8Array {
  return new Uint8Array(der);
}

/**
 * The identity source of another thread, in the last state that this thread has received. The material was verified
 * there, so it is only read here. Listeners are called in the same order as by the source itself.
 */
export class IdentityMirror implements IdentitySource {
  readonly #listeners = new IdentityListeners();
  #state: IdentityState = { kind: "waiting", problems: ["this thread has not received an identity yet"] };

  get state(): IdentityState {
    return this.#state;
  }

  snapshot(): IdentitySnapshot {
    if (this.#state.kind !== "ready") throw new MaterialError(...this.#state.problems);
    return this.#state.snapshot;
  }

  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void {
    return this.#listeners.onChange(listener);
  }

  onState(listener: (state: IdentityState) => void): () => void {
    return this.#listeners.onState(listener);
  }

  /** Takes over a state. */
  receive(message: IdentityMessage): void {
    const before = this.#state;
    this.#state = this.#read(message);
    this.#listeners.notify(before, this.#state);
  }

  close(): void {
    this.#listeners.clear();
  }

  #read(message: IdentityMessage): IdentityState {
    if (message.kind !== "ready") return message;
    const { snapshot, problems } = message;
    return { kind: "ready", snapshot: snapshot === undefined ? this.snapshot() : readSnapshot(snapshot), problems };
  }
}

function readSnapshot({ generation, validUntil, chain, keyPem, bundles }: SnapshotMessage): IdentitySnapshot {
  const [leaf, ...issuers] = chain.map(parseCertificate);
  if (leaf === undefined) throw new Error("a received SVID has no certificate");
  const read = Array.from(bundles, ([name, ders]) => [name, readBundle(name, ders)] as const);
  const svid = new Svid(identify(leaf), [leaf, ...issuers], keyPem);
  return Object.freeze({ generation, validUntil, svid, bundles: new Map(read) });
}

function readBundle(name: string, ders: readonly Uint8Array[]): Bundle {
  const authorities: readonly Certificate[] = ders.map(parseCertificate);
  return new Bundle(TrustDomain.parse(name), authorities);
}
