import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Spire } from "../spire/spire.ts";

/** The pause between two requests for a newer SVID, in milliseconds. */
const PAUSE_MS = 500;

/** Writes the newest SVID of the user root to files with spiffe-helper's default names, and keeps them up to date. */
export class SvidFiles {
  readonly folder: string;
  readonly #spire: Spire;
  readonly #roots: string;
  #isOver = false;
  #following: Promise<void> = Promise.resolve();

  private constructor(folder: string, spire: Spire, roots: string) {
    this.folder = folder;
    this.#spire = spire;
    this.#roots = roots;
  }

  /** Resolves when the files exist. `roots` is the bundle to use, by the name of its file in `api fetch -write`. */
  static async open(folder: string, spire: Spire, roots = "bundle.0.pem"): Promise<SvidFiles> {
    mkdirSync(join(folder, "fetched"), { recursive: true });
    const files = new SvidFiles(folder, spire, roots);
    await files.#write();
    files.#following = files.#follow();
    return files;
  }

  /** No file is written after this. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#following;
  }

  async #follow(): Promise<void> {
    while (!this.#isOver) {
      await pause(PAUSE_MS);
      await this.#write();
    }
  }

  async #write(): Promise<void> {
    const fetched = join(this.folder, "fetched");
    const { code, stderr } = await this.#spire.fetch(0, "-write", fetched);
    if (code !== 0) throw new Error(`there is no SVID: ${stderr}`);
    const names = { "svid.0.pem": "svid.pem", "svid.0.key": "svid_key.pem", [this.#roots]: "svid_bundle.pem" };
    for (const [from, to] of Object.entries(names)) renameSync(join(fetched, from), join(this.folder, to));
  }
}
