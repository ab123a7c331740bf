import { isUtf8 } from "node:buffer";

/** Control, format and line separator characters. They can move the cursor, hide text or reverse its direction. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text that is safe to show on a terminal, with control characters escaped as in JSON. Otherwise a value or a message
 * could overwrite earlier output, or make the terminal send input to the shell.
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
 * One value in a form that is safe to show on a terminal, ending with a line break. Line breaks and tabs stay as they
 * are. A value that is not UTF-8 can't be shown, so its size is shown instead.
 */
export function forTerminal(value: Uint8Array): string {
  if (!isUtf8(value)) return `(${value.length} bytes that are not text; write them to a file or a pipe)\n`;
  const text = Buffer.from(value).toString();
  const shown = text.replace(/[^\n\t]+/g, printable);
  return shown.endsWith("\n") ? shown : `${shown}\n`;
}

/**
 * Formats rows as lines with aligned columns. The first row may be a heading. Control characters in cells are escaped.
 */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widthOf = (column: number) => Math.max(...cells.map((row) => row[column]?.length ?? 0));
  const widths = cells[0]?.map((_, column) => widthOf(column)) ?? [];
  const lines = cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** Formats a time, in milliseconds since the epoch, as RFC 3339; undefined as a dash. */
export function showTime(time: number | undefined): string {
  return time === undefined ? "-" : new Date(time).toISOString();
}
