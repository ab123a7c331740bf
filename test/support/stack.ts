import type { Ran } from "./cli-kit.ts";

/** What a program needs to call the server under test as one workload. The three files are in PEM. */
export interface Access {
  /** For example localhost:8553. The server's SVID contains the host name, so that the program can verify it. */
  readonly address: string;
  readonly roots: string;
  readonly cert: string;
  readonly key: string;
}

/** The result of a call in gRPC's terms, in whatever form the program reports it. */
export interface Answer {
  /** For example "NOT_FOUND". */
  readonly code: string;
  readonly message: string;
  /** From google.rpc.ErrorInfo. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of google.rpc.BadRequest. */
  readonly violations: readonly string[];
  /** The response in proto3 JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at what it expects
  readonly response: any;
}

/** Another gRPC stack: a program that knows the server only from reflection. */
export interface Stack {
  /** The services that reflection lists. */
  services(): Promise<readonly string[]>;
  /** The methods of one service, without its name. */
  methods(service: string): Promise<readonly string[]>;
  /** Calls a method, such as coffer.v1.Secrets/Get, with a request in proto3 JSON. */
  call(method: string, request: object): Promise<Answer>;
}

/** A call that succeeded. */
export function succeeded(response: unknown): Answer {
  return { code: "OK", message: "", reason: undefined, metadata: {}, violations: [], response };
}

/** The lines that a program printed. Throws its error output if it failed. */
export function lines({ code, stdout, stderr }: Ran): string[] {
  if (code !== 0) throw new Error(stderr);
  return String(stdout)
    .split("\n")
    .filter((line) => line !== "");
}
