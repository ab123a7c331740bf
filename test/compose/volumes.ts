import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Named volumes: folders that outlive their containers. */
export class Volumes {
  readonly #folder: string;
  readonly #names: readonly string[];

  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = names;
  }

  /**
   * The folder of a volume, to be mounted at `place` in an image. As in a container engine, an empty volume is filled
   * with what the image has at `place`, including owners and modes.
   */
  mount(name: string, place: string): string {
    if (!this.#names.includes(name)) throw new Error(`no volume ${name}`);
    const folder = join(this.#folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    if (readdirSync(folder).length === 0 && existsSync(place)) execFileSync("cp", ["-a", `${place}/.`, folder]);
    return folder;
  }
}
