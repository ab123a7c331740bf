import { InvalidArgumentError } from "commander";

/** Labels by key. */
export type Labels = Readonly<Record<string, string>>;

/** Parses `key=value` pairs with commas. A repeated option adds pairs. The server checks their grammar. */
export function parseLabels(text: string, before: Labels = {}): Labels {
  const pairs = text.split(",").map((pair) => {
    const equals = pair.indexOf("=");
    if (equals < 1) throw new InvalidArgumentError(`invalid label ${JSON.stringify(pair)}: expected key=value`);
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  return { ...before, ...Object.fromEntries(pairs) };
}

/** Formats labels as `key=value` pairs with commas. */
export function showLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
