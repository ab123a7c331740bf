import type { WatchDirectory } from "../domain/directory-watch.ts";
import type { ObservedFile } from "../domain/observed-file.ts";
import type { Timers } from "../domain/timers.ts";
import { WatchedFiles } from "../domain/watched-files.ts";
import { Bundle } from "./bundle.ts";
import type { Purpose } from "./certificate-rules.ts";
import { CurrentIdentity } from "./current-identity.ts";
import { FollowedSource } from "./followed-source.ts";
import { type FileMaterial, type Material, readMaterial, toIdentity } from "./file-material.ts";
import { type IdentityFiles, ObservedFiles } from "./identity-files.ts";
import { collect } from "./material-error.ts";
import type { Identity } from "./source.ts";
import type { TrustDomain } from "./trust-domain.ts";

/**
 * After how long without a change files are what they are, in milliseconds: before, a wrong one may be half written, and
 * one that is empty or gone may be about to be replaced.
 */
const GRACE_MS = 5000;

/** What a source of this kind needs. */
export interface FileSourceOptions {
  readonly files: IdentityFiles;
  /** What the SVID must be good for. */
  readonly purpose: Purpose;
  readonly timers: Timers;
  /** How to hear of changes sooner; watchDirectory by default. */
  readonly watch?: WatchDirectory;
}

/** What becomes of the files as they are now. */
type Verdict =
  | { readonly kind: "whole"; readonly identity: Identity }
  | { readonly kind: "absent" | "wrong"; readonly problems: readonly string[] };

/** A bundle that trusts nobody. */
interface EmptyBundle {
  readonly trustDomain: TrustDomain;
  readonly file: ObservedFile;
  /** False as long as it may be about to be written. */
  readonly isReal: boolean;
}

/**
 * The identity in files, followed as they change: rewritten one after the other, as spiffe-helper does, or all swapped
 * at once, as Kubernetes does. They are taken only if they fit together, all of them. A set that can't be used changes
 * nothing, with one exception: a bundle that stays empty, or away, trusts nobody, whatever else is wrong.
 */
export class FileSource extends FollowedSource {
  readonly #options: FileSourceOptions;
  readonly #files: ObservedFiles;
  readonly #watched: WatchedFiles;
  #material: FileMaterial;
  /** The last set that fit together. */
  #good: Material | undefined;

  private constructor(options: FileSourceOptions) {
    super(new CurrentIdentity(options.timers, "the files of the identity have not been read yet"));
    const { timers, watch } = options;
    this.#options = options;
    this.#files = new ObservedFiles(options.files, timers);
    this.#watched = new WatchedFiles({
      files: this.#files.all,
      timers,
      watch,
      onSettled: (areNew) => this.#settled(areNew),
    });
    this.#material = readMaterial(this.#files, options.purpose);
  }

  /** Reads the files at once: when they are good, the source is ready when this returns. Throws nothing. */
  static open(options: FileSourceOptions): FileSource {
    const source = new FileSource(options);
    source.#judge();
    return source;
  }

  override reload(): void {
    this.#watched.reload();
  }

  override close(): void {
    this.#watched.close();
    super.close();
  }

  #settled(areNew: boolean): void {
    if (areNew) this.#material = readMaterial(this.#files, this.#options.purpose);
    this.#judge();
  }

  #judge(): void {
    const empty = this.#emptyBundles();
    const verdict = this.#verdict(empty.filter(({ isReal }) => !isReal));
    const gone = empty.filter(({ isReal }) => isReal);
    if (verdict.kind === "whole") this.#take(verdict.identity, gone);
    else if (this.#good !== undefined) this.#keep(this.#good, gone, verdict.problems);
    else if (verdict.kind === "wrong" && this.#files.unchangedMs >= GRACE_MS) this.#giveUp(verdict.problems);
    else this.current.complain(...verdict.problems);
  }

  /**
   * Before there was a good set, a file without a byte has not arrived yet, however long that takes. One that says in so
   * many words that there are no authorities means it.
   */
  #emptyBundles(): readonly EmptyBundle[] {
    const empty = [...this.#material.bundles.values()].filter(({ authorities }) => authorities.length === 0);
    return empty.map(({ trustDomain }) => {
      const file = this.#files.bundles.get(trustDomain.name)!;
      const isMeant = file.reading.kind === "bytes";
      const isReal = (isMeant || this.#good !== undefined) && file.unchangedMs >= GRACE_MS;
      return { trustDomain, file, isReal };
    });
  }

  #verdict(missing: readonly EmptyBundle[]): Verdict {
    const { svid, bundles } = this.#material;
    const wrong = [...this.#material.wrong];
    const absent = [...this.#material.absent, ...missing.map(describeEmpty)];
    if (svid !== undefined && absent.length + wrong.length === 0) {
      const identity = collect(wrong, () => this.#toIdentity({ svid, bundles }));
      if (identity !== undefined) return { kind: "whole", identity };
    }
    return { kind: wrong.length > 0 ? "wrong" : "absent", problems: [...absent, ...wrong] };
  }

  #take(identity: Identity, gone: readonly EmptyBundle[]): void {
    this.#good = identity;
    this.current.adopt(identity, ...gone.map(describeEmpty));
  }

  /** Trust that was withdrawn does not come back because another file is wrong, or this one is half written. */
  #keep(good: Material, gone: readonly EmptyBundle[], problems: readonly string[]): void {
    const kept = withdraw(good, gone);
    this.#good = kept;
    const all = [...problems, ...gone.map(describeEmpty)];
    const identity = collect([], () => this.#toIdentity(kept));
    if (identity === undefined) this.current.complain(...all);
    else this.current.adopt(identity, ...all);
  }

  #giveUp(problems: readonly string[]): void {
    this.#watched.close();
    this.current.fail(...problems);
  }

  #toIdentity(material: Material): Identity {
    const { purpose, timers } = this.#options;
    return toIdentity(material, this.#files, timers.clock(), purpose);
  }
}

function withdraw({ svid, bundles }: Material, gone: readonly EmptyBundle[]): Material {
  const withdrawn = gone.map(({ trustDomain }) => [trustDomain.name, new Bundle(trustDomain, [])] as const);
  return { svid, bundles: new Map([...bundles, ...withdrawn]) };
}

function describeEmpty({ trustDomain, file: { path, reading }, isReal }: EmptyBundle): string {
  const state = reading.kind === "absent" ? reading.problem : "is empty";
  const consequence = isReal ? `: nobody of ${trustDomain} is trusted` : "";
  return `${path}, the bundle of ${trustDomain}, ${state}${consequence}`;
}
