import { ENDPOINT_VARIABLE, parseEndpoint } from "../workload-api/endpoint.ts";
import type { SourceChoice } from "../workload-api/open-source.ts";
import type { Selection } from "../workload-api/selection.ts";
import type { DefineOption, OptionDefinition, OptionReader } from "./option.ts";
import { parseFilePath, parseSpiffeId } from "./value.ts";

/** The chosen identity source. `because` is the reason for the choice, as the end of a sentence. */
export type IdentityChoice = SourceChoice & { readonly because: string };

/** The options that choose the identity source, as one command defines them. */
export interface IdentityOptions {
  readonly cert: OptionDefinition;
  readonly key: OptionDefinition;
  readonly bundle: OptionDefinition;
  readonly svidHint: OptionDefinition;
  readonly svidId: OptionDefinition;
}

/** The options that select one of several SVIDs of the Workload API. Clients and the server have the same flags. */
export function selectionOptions(option: DefineOption) {
  const standard = "the first one";
  return {
    svidHint: option("--svid-hint", "<hint>", "use the SVID of the Workload API that has this hint", { standard }),
    svidId: option("--svid-id", "<spiffe-id>", "use the SVID of the Workload API that has this SPIFFE ID", {
      standard,
    }),
  };
}

/** The name of a trust domain, and the file of its bundle. The name is empty if it is unknown. */
export type BundleFile = readonly [trustDomain: string, file: string];

/**
 * Chooses files if any of the file options is set, otherwise the Workload API. An incomplete set of files is an error:
 * falling back to the Workload API would use an identity that the operator did not intend. Reports problems to
 * `reader`, and returns undefined if there are any.
 */
export function readIdentityChoice(
  reader: OptionReader,
  options: IdentityOptions,
  parseBundle: (text: string) => BundleFile,
): IdentityChoice | undefined {
  const given = filesOf(options).map((option) => reader.sourceOf(option));
  const sources = given.filter((source) => source !== undefined);
  if (sources.length > 0) return readFiles(reader, options, parseBundle, sources);
  if (reader.hasVariable(ENDPOINT_VARIABLE)) return readWorkloadApi(reader, options);
  reader.problem(
    `an identity is required: set ${flags(filesOf(options), "and")}, ` +
      `or set ${ENDPOINT_VARIABLE} to the address of the SPIFFE Workload API`,
  );
  return undefined;
}

/** Describes the identity source for the log and the status. */
export function describeChoice(choice: IdentityChoice): string {
  if (choice.kind === "workload-api") return `the Workload API at ${choice.endpoint.text}`;
  const { cert, key, bundles } = choice.files;
  return `the files ${[...new Set([cert, key, ...bundles.values()])].join(", ")}`;
}

const filesOf = ({ cert, key, bundle }: IdentityOptions) => [cert, key, bundle];

function flags(options: readonly OptionDefinition[], conjunction: string): string {
  const names = options.map(({ flag }) => flag);
  return `${names.slice(0, -1).join(", ")} ${conjunction} ${names.at(-1)}`;
}

function readFiles(
  reader: OptionReader,
  options: IdentityOptions,
  parseBundle: (text: string) => BundleFile,
  sources: readonly string[],
): IdentityChoice | undefined {
  for (const option of filesOf(options)) {
    if (reader.isGiven(option)) continue;
    const { flag, variable, description } = option;
    reader.problem(`${flag} (or ${variable}) is required with ${sources[0]}: ${description}`);
  }
  for (const option of [options.svidHint, options.svidId]) {
    const source = reader.sourceOf(option);
    if (source) reader.problem(`${source} selects an SVID of the Workload API, and can't be used with ${sources[0]}`);
  }
  const cert = reader.optional(options.cert, parseFilePath);
  const key = reader.optional(options.key, parseFilePath);
  const bundles = reader.all(options.bundle, parseBundle);
  reportRepeated(reader, options.bundle, bundles);
  if (cert === undefined || key === undefined) return undefined;
  const because = `${sources.join(", ")} ${sources.length > 1 ? "are" : "is"} set`;
  return { kind: "files", files: { cert, key, bundles: new Map(bundles) }, because };
}

function reportRepeated(reader: OptionReader, { flag }: OptionDefinition, bundles: readonly BundleFile[]): void {
  const names = bundles.map(([trustDomain]) => trustDomain).filter((name) => name !== "");
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  for (const name of repeated) reader.problem(`${flag}: ${name} is set twice`);
}

function readWorkloadApi(reader: OptionReader, options: IdentityOptions): IdentityChoice | undefined {
  const endpoint = reader.variable(ENDPOINT_VARIABLE, parseEndpoint);
  const selection = readSelection(reader, options);
  if (endpoint === undefined) return undefined;
  const because = `${ENDPOINT_VARIABLE} is set, and none of ${flags(filesOf(options), "and")}`;
  return { kind: "workload-api", endpoint, selection, because };
}

function readSelection(reader: OptionReader, { svidHint, svidId }: IdentityOptions): Selection {
  const hint = reader.optional(svidHint, (text) => text);
  const id = reader.optional(svidId, parseSpiffeId);
  if (hint !== undefined && id !== undefined) {
    reader.problem(`${svidHint.flag} and ${svidId.flag} can't be combined; use one of them`);
  }
  if (id !== undefined) return { kind: "id", id };
  return hint === undefined ? { kind: "default" } : { kind: "hint", hint };
}
