import { invalidOption } from "./client-error.ts";

/** The names of all properties of `Options`. The compiler requires each of them. */
export type NamesOf<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Checks that `options` is an object and has no properties but `names`. Without this check, a mistyped name in a program
 * without types has no effect: a Get with `versoin` returns the newest version. `word` is what the error calls a
 * property. Throws {@link ClientError}.
 */
export function checkOptions<Options>(
  options: Options,
  names: NamesOf<NoInfer<Options>>,
  word: "option" | "property" = "option",
): Options {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw invalidOption("the options are not an object");
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (unknown === undefined) return options;
  throw invalidOption(`unknown ${word} ${JSON.stringify(unknown)}; expected ${Object.keys(names).join(", ")}`);
}
