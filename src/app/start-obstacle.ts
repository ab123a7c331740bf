import { PrivateFileError } from "../files/private-file.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import { StoreRefused } from "../persistence/store-refused.ts";
import { RootKeyRefused } from "../sealing/root-key.ts";
import { ListenRefused } from "../admission/listener.ts";
import { StartRefused } from "./start-refused.ts";

/** What an operator can mend becomes a sentence; anything else is a fault of ours and passes through. */
export function asStartRefused(error: unknown): StartRefused {
  if (error instanceof StartRefused) return error;
  if (error instanceof MaterialError) return new StartRefused(error.problems, { cause: error });
  const known = [StoreRefused, RootKeyRefused, PrivateFileError, ListenRefused];
  if (known.some((kind) => error instanceof kind))
    return new StartRefused([(error as Error).message], { cause: error });
  throw error;
}
