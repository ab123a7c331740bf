import type { SecretPath } from "../domain/secret-path.ts";
import type { NewestVersion, OpenedWatch, VersionReport, WatcherCount } from "../store/watch-registry.ts";
import type { SentError } from "./sent-error.ts";

/** What a front sends to the registry of watches. The requests of one turn of its event loop are one message. */
export type RegistryRequest = RegistryQuestion | { readonly kind: "closed"; readonly watchId: string };

/** A request that is answered. `id` identifies it among those of the front. */
export type RegistryQuestion =
  | { readonly kind: "opened"; readonly id: number; readonly watch: OpenedWatch }
  | { readonly kind: "report"; readonly id: number; readonly report: VersionReport }
  | { readonly kind: "count"; readonly id: number; readonly path: SecretPath; readonly newest: NewestVersion };

/** The answer of the registry. It has a count if the question requested one. */
export type RegistryAnswer =
  | { readonly kind: "done"; readonly id: number; readonly count: WatcherCount | undefined }
  | { readonly kind: "failed"; readonly id: number; readonly error: SentError };
