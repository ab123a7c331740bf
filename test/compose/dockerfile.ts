/** One instruction of a Dockerfile. */
export interface Instruction {
  readonly name: string;
  /** Its flags, such as --from=build. */
  readonly flags: Readonly<Record<string, string>>;
  /** The text after the flags, on one line. */
  readonly text: string;
}

/** Reads the instructions: removes comments, and joins continued lines. Variables are not replaced. */
export function readDockerfile(text: string): Instruction[] {
  const lines = text.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join("\n")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map(readInstruction);
}

function readInstruction(line: string): Instruction {
  const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
  if (name === undefined) throw new Error(`no instruction: ${line}`);
  const flags: Record<string, string> = {};
  let text = rest!;
  for (let match = FLAG.exec(text); match !== null; match = FLAG.exec(text)) {
    flags[match[1]!] = match[2]!;
    text = text.slice(match[0].length);
  }
  return { name: name.toUpperCase(), flags, text };
}

const FLAG = /^--([\w-]+)=(\S+)\s+/;

/**
 * Parses a command in exec form. Throws at shell form: distroless has no shell, and a shell would not forward signals.
 */
export function execForm(text: string): string[] {
  if (!text.startsWith("[")) throw new Error(`not in exec form: ${text}`);
  return JSON.parse(text);
}

/** Replaces ${NAME} and $NAME by the build arguments. Throws at one that was not declared. */
export function withArguments(text: string, known: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\{?(\w+)\}?/g, (_, name) => {
    const value = known.get(name);
    if (value === undefined) throw new Error(`${name} is not an argument of the build: ${text}`);
    return value;
  });
}
