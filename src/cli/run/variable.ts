// IEEE Std 1003.1, XBD 3.216 "Name": what sh takes as the name of a variable.
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether sh takes this as the name of a variable. */
export function isVariableName(text: string): boolean {
  return NAME.test(text);
}

/** Why a key and its value can't be a variable of the environment, as a sentence without the value; undefined: they can. */
export function variableProblem(key: string, value: Uint8Array): string | undefined {
  if (!isVariableName(key)) return `the key ${key} can't be the name of a variable`;
  if (value.includes(0)) return `the value of ${key} has a NUL, which no variable can hold`;
  return undefined;
}
