// POSIX.1, XBD 3.216 "Name": a valid name of a variable in sh.
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether sh accepts this as the name of a variable. */
export function isVariableName(text: string): boolean {
  return NAME.test(text);
}

/** Why a key and its value can't be an environment variable, as a sentence without the value; undefined if they can. */
export function variableProblem(key: string, value: Uint8Array): string | undefined {
  if (!isVariableName(key)) return `the key ${key} is not a valid variable name`;
  if (value.includes(0)) return `the value of ${key} contains a NUL, which no variable can hold`;
  return undefined;
}
