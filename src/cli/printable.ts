import { isUtf8 } from "node:buffer";

/** Control, format and line separator characters: what can move a cursor, hide text or turn its direction around. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text as a terminal may show it. A value or a message could otherwise rewrite what was printed before, or make the
 * terminal type. Escapes are written as in JSON.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) =>
    [...character]
      .flatMap((part) => Array.from({ length: part.length }, (_, index) => part.charCodeAt(index)))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/**
 * One value as a terminal may show it, with a line break at its end. Lines and tabs stay as they are. Bytes that are not
 * UTF-8 have no form that a terminal could show, and only their number is shown.
 */
export function forTerminal(value: Uint8Array): string {
  if (!isUtf8(value)) return `(${value.length} bytes that are not text; write them to a file or a pipe)\n`;
  const text = Buffer.from(value).toString();
  const shown = text.replace(/[^\n\t]+/g, printable);
  return shown.endsWith("\n") ? shown : `${shown}\n`;
}

/** Rows as lines with aligned columns; the first one may be a heading. Cells are made printable. */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widthOf = (column: number) => Math.max(...cells.map((row) => row[column]?.length ?? 0));
  const widths = cells[0]?.map((_, column) => widthOf(column)) ?? [];
  const lines = cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** A time in milliseconds since the epoch as RFC 3339; a dash when there is none. */
export function showTime(time: number | undefined): string {
  return time === undefined ? "-" : new Date(time).toISOString();
}
