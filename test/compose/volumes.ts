import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The named volumes: folders that outlive the containers. */
export class Volumes {
  readonly #folder: string;
  readonly #names: readonly string[];

  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = names;
  }

  /**
   * The folder of a volume, to be mounted where `place` is in an image. As an engine does it: as long as the volume is
   * empty, it takes over what is there, owner and mode included.
   */
  mount(name: string, place: string): string {
    if (!this.#names.includes(name)) throw new Error(`there is no volume ${name}`);
    const folder = join(this.#folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    if (readdirSync(folder).length === 0 && existsSync(place)) execFileSync("cp", ["-a", `${place}/.`, folder]);
    return folder;
  }
}
