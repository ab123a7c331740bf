import type { Ran } from "./cli-kit.ts";

/** What a program needs to reach the server under test as one workload. The three are files in PEM. */
export interface Access {
  /** As in localhost:8553. The name is one that the server's SVID carries, so that the program can verify it. */
  readonly address: string;
  readonly roots: string;
  readonly cert: string;
  readonly key: string;
}

/** What a call came to, in the words of gRPC whatever the program's own. */
export interface Answer {
  /** As in "NOT_FOUND". */
  readonly code: string;
  readonly message: string;
  /** Of google.rpc.ErrorInfo. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of google.rpc.BadRequest. */
  readonly violations: readonly string[];
  /** The response in proto3's JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at what it expects
  readonly response: any;
}

/** Another gRPC stack: a program that knows of a server only what reflection tells it. */
export interface Stack {
  /** The services that reflection lists. */
  services(): Promise<readonly string[]>;
  /** The methods of one service, by their bare names. */
  methods(service: string): Promise<readonly string[]>;
  /** Calls a method, such as coffer.v1.Secrets/Get, with a request in proto3's JSON. */
  call(method: string, request: object): Promise<Answer>;
}

/** A call that succeeded. */
export function succeeded(response: unknown): Answer {
  return { code: "OK", message: "", reason: undefined, metadata: {}, violations: [], response };
}

/** The lines that a program printed. Throws what it complained of when it failed. */
export function lines({ code, stdout, stderr }: Ran): string[] {
  if (code !== 0) throw new Error(stderr);
  return String(stdout)
    .split("\n")
    .filter((line) => line !== "");
}
