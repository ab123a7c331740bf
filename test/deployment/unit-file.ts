import type { Page } from "../support/pages.ts";

/** A systemd unit, or a drop-in of one, on a page. */
export interface UnitFile {
  readonly text: string;
  /** The values of each directive, in order. An empty value resets the earlier ones (systemd.syntax). */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** The units in the ini blocks of a page. */
export function unitFilesIn({ text }: Page): UnitFile[] {
  return [...text.matchAll(/^```ini\n(.*?)^```$/gms)].map(([, block]) => unitFile(block!));
}

function unitFile(text: string): UnitFile {
  const values = new Map<string, string[]>();
  for (const [, name, value] of text.replace(/\\\n\s*/g, "").matchAll(/^([A-Za-z]+)=(.*)$/gm)) {
    values.set(name!, [...(values.get(name!) ?? []), value!]);
  }
  return { text, values };
}

/** The last value of a directive. Throws if it has none. */
export function lastOf({ values }: UnitFile, directive: string): string {
  const value = values.get(directive)?.at(-1);
  if (value === undefined) throw new Error(`the unit has no ${directive}=`);
  return value;
}

/** The variables that the unit sets. */
export function environmentOf({ values }: UnitFile): Readonly<Record<string, string>> {
  return Object.fromEntries((values.get("Environment") ?? []).map((assignment) => assignment.split(/=(.*)/s, 2)));
}
