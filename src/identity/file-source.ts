import type { WatchDirectory } from "../files/directory-watch.ts";
import type { Timers } from "../domain/timers.ts";
import { WatchedFiles } from "../files/watched-files.ts";
import type { Bundle } from "../spiffe/bundle.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import { CurrentIdentity } from "./current-identity.ts";
import { type ChosenBundles, describeChosenBundle, FileBundles, GRACE_MS } from "./file-bundles.ts";
import { type FileMaterial, readMaterial } from "./file-material.ts";
import { FollowedSource } from "./followed-source.ts";
import { type IdentityFiles, ObservedFiles } from "./identity-files.ts";
import { MaterialError, UntimelySvid } from "../spiffe/material-error.ts";
import { chainValidity, ownValidity } from "../spiffe/own-validity.ts";
import type { Svid } from "../spiffe/svid.ts";

/** The options of {@link FileSource}. */
export interface FileSourceOptions {
  readonly files: IdentityFiles;
  /** The side of TLS on which the SVID must be accepted. */
  readonly purpose: Purpose;
  readonly timers: Timers;
  /** Reports changes between the regular checks of the files; watchDirectory by default. */
  readonly watch?: WatchDirectory;
}

/**
 * The own SVID and the bundle of its trust domain. They are adopted only together, because the SVID must verify with
 * the bundle.
 */
interface Own {
  readonly svid: Svid;
  readonly bundle: Bundle;
  /** Until when peers accept the SVID, in milliseconds since the epoch. */
  readonly validUntil: number;
}

/** The result of checking the own files in their current state. */
type Verdict =
  | { readonly kind: "whole"; readonly own: Own }
  /** A file is absent, or the SVID has expired or is not valid yet. The source waits for a newer one. */
  | { readonly kind: "absent"; readonly problems: readonly string[] }
  | { readonly kind: "wrong"; readonly problems: readonly string[] };

/**
 * An identity in files, which it reads again when they change. The files may be rewritten one after the other, as
 * spiffe-helper does, or replaced together, as Kubernetes does. It adopts the SVID, its key and the bundle of its own
 * trust domain only if they match each other, and each other bundle independently. A file that can't be used changes
 * nothing, with one exception: a bundle that remains empty or absent withdraws all trust in its trust domain, even if
 * another file can't be used.
 */
export class FileSource extends FollowedSource {
  readonly #options: FileSourceOptions;
  readonly #files: ObservedFiles;
  readonly #bundles: FileBundles;
  readonly #watched: WatchedFiles;
  readonly #openedAt: number;
  #material: FileMaterial;
  /** The last SVID and bundle that matched each other. */
  #good: Pick<Own, "svid" | "bundle"> | undefined;

  private constructor(options: FileSourceOptions) {
    super(new CurrentIdentity(options.timers, "the files of the identity have not been read yet"));
    const { timers, watch } = options;
    this.#options = options;
    this.#openedAt = timers.elapsed();
    this.#files = new ObservedFiles(options.files, timers);
    this.#bundles = new FileBundles(timers);
    this.#watched = new WatchedFiles({
      files: this.#files.all,
      timers,
      watch,
      onSettled: (areNew) => this.#settled(areNew),
    });
    this.#material = readMaterial(this.#files, options.purpose);
  }

  /** Reads the files immediately: if they can be used, the source is ready when this returns. Never throws. */
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
    const chosen = this.#bundles.choose(this.#material.bundles, this.#good?.bundle);
    const verdict = this.#verdict(chosen);
    if (verdict.kind === "whole") this.#take(verdict, chosen);
    else if (this.#good !== undefined) this.#keep(this.#good, chosen, verdict.problems);
    else this.#wait(verdict, chosen);
  }

  #verdict(chosen: ChosenBundles): Verdict {
    const { svid, absent, wrong } = this.#material;
    if (svid === undefined || absent.length + wrong.length > 0) {
      return { kind: wrong.length > 0 ? "wrong" : "absent", problems: [...absent, ...wrong] };
    }
    const { trustDomain } = svid.id;
    const choice = chosen.get(trustDomain.name);
    if (choice === undefined) {
      const what = `${this.#files.cert.path} is an X.509-SVID of ${trustDomain}`;
      return { kind: "wrong", problems: [`${what}, but there is no bundle for ${trustDomain}`] };
    }
    if (choice.kind === "read" || choice.kind === "withdrawn") return this.#judgeOwn(svid, choice.bundle);
    return { kind: choice.isWrong ? "wrong" : "absent", problems: [choice.problem] };
  }

  #judgeOwn(svid: Svid, bundle: Bundle): Verdict {
    try {
      return { kind: "whole", own: { svid, bundle, validUntil: this.#validity(svid, bundle) } };
    } catch (error) {
      if (!(error instanceof MaterialError)) throw error;
      return { kind: error instanceof UntimelySvid ? "absent" : "wrong", problems: error.problems };
    }
  }

  /** If the bundle is empty, the SVID can't be verified, and only its validity period is checked. */
  #validity(svid: Svid, bundle: Bundle): number {
    const { purpose, timers } = this.#options;
    const cert = this.#files.cert.path;
    if (bundle.authorities.length === 0) return chainValidity(svid, timers.clock(), cert);
    const where = `${cert}, verified with ${this.#files.bundles.get(bundle.trustDomain.name)?.path}`;
    return ownValidity(svid, bundle, timers.clock(), purpose, where);
  }

  #take({ own }: Extract<Verdict, { kind: "whole" }>, chosen: ChosenBundles): void {
    const pending = this.#good === undefined ? this.#pending(chosen) : [];
    if (pending.length > 0) this.current.complain(...pending);
    else this.#adopt(own, chosen, [...chosen.values()].flatMap(describeChosenBundle));
  }

  /**
   * The problems of the missing bundles for which the source still waits at the start. After GRACE_MS, it continues
   * without them.
   */
  #pending(chosen: ChosenBundles): readonly string[] {
    const { unchangedMs } = this.#files;
    const waitedMs = Math.min(unchangedMs, this.#options.timers.elapsed() - this.#openedAt);
    return [...chosen.values()].flatMap((choice) => {
      const isPending = choice.kind === "missing" && (choice.isWrong ? unchangedMs : waitedMs) < GRACE_MS;
      return isPending ? [choice.problem] : [];
    });
  }

  /**
   * Keeps the last good SVID. Trust that was withdrawn stays withdrawn, even if another file is wrong or the bundle
   * file is half written.
   */
  #keep(
    { svid, bundle: before }: Pick<Own, "svid" | "bundle">,
    chosen: ChosenBundles,
    problems: readonly string[],
  ): void {
    const { name } = before.trustDomain;
    const choice = chosen.get(name);
    const bundle = choice?.kind === "withdrawn" ? choice.bundle : before;
    const others = new Map([...chosen].filter(([other]) => other !== name));
    const withdrawn = choice?.kind === "withdrawn" ? [choice] : [];
    const all = new Set([...problems, ...[...withdrawn, ...others.values()].flatMap(describeChosenBundle)]);
    this.#good = { svid, bundle };
    const verdict = this.#judgeOwn(svid, bundle);
    if (verdict.kind === "whole") this.#adopt(verdict.own, others, [...all]);
    else this.current.complain(...all);
  }

  #adopt({ svid, bundle, validUntil }: Own, chosen: ChosenBundles, problems: readonly string[]): void {
    this.#good = { svid, bundle };
    this.#bundles.adopted(chosen.values(), validUntil);
    const others = [...chosen].map(([name, choice]) => [name, choice.bundle] as const);
    const bundles = new Map([...others, [bundle.trustDomain.name, bundle] as const]);
    this.current.adopt({ svid, validUntil, bundles }, ...problems);
  }

  #wait({ kind, problems }: Exclude<Verdict, { kind: "whole" }>, chosen: ChosenBundles): void {
    const others = [...chosen.values()].flatMap((choice) => (choice.kind === "missing" ? [choice.problem] : []));
    const all = new Set([...problems, ...others]);
    if (kind === "wrong" && this.#files.unchangedMs >= GRACE_MS) this.#giveUp([...all]);
    else this.current.complain(...all);
  }

  #giveUp(problems: readonly string[]): void {
    this.#watched.close();
    this.current.fail(...problems);
  }
}
