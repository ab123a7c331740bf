import { ClientError } from "../client/client-error.ts";
import type { CofferClient } from "../client/coffer-client.ts";

/**
 * Describes the versions that a smaller `max_versions` removes, such as "remove the oldest 3 versions of a/b".
 * Undefined if none is removed. If the caller may not describe the secret, the text assumes that versions are removed.
 */
export async function pruningOf(client: CofferClient, path: string, maxVersions: number): Promise<string | undefined> {
  try {
    const { versions } = await client.describe(path);
    const surplus = versions.length - maxVersions;
    return surplus > 0 ? `remove the oldest ${surplus} of the ${versions.length} versions of ${path}` : undefined;
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.reason === "SECRET_NOT_FOUND") return undefined;
    if (error.reason === "ACCESS_DENIED") return `remove all but the newest ${maxVersions} versions of ${path}`;
    throw error;
  }
}
