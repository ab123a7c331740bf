import { mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** A way to write the content of a file, initially and later. */
export type FileDelivery = (file: string, text: string) => void;

/** The ways in which programs replace files, by program. */
export const FILE_DELIVERIES: Readonly<Record<string, FileDelivery>> = {
  "a shell, in place": (file, text) => writeFileSync(file, text),
  "an editor, by a rename": (file, text) => {
    writeFileSync(`${file}~`, text);
    renameSync(`${file}~`, file);
  },
  "Kubernetes, by the link ..data": (file, text) => {
    const folder = dirname(file);
    mkdirSync(folder, { recursive: true });
    const data = join(folder, "..data");
    const next = mkdtempSync(join(folder, "..version_"));
    writeFileSync(join(next, basename(file)), text);
    const last = linkOf(data);
    symlinkSync(basename(next), `${data}_tmp`);
    renameSync(`${data}_tmp`, data);
    if (last === undefined) symlinkSync(join("..data", basename(file)), file);
    else rmSync(join(folder, last), { recursive: true });
  },
};

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
