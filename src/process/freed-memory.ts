import type { LibraryHandle } from "koffi";

/** The parameter of mallopt(3) that sets the byte for freed memory. */
const M_PERTURB = -6;

/**
 * The byte that replaces each byte of a freed block. The C library fills a new block with its complement: with zeros, as
 * memory from the kernel is.
 */
const FREED = 0xff;

/** An operator sets the byte with one of these: a tunable of glibc, or the variable of its older releases. */
const OPERATORS = /^GLIBC_TUNABLES=.*glibc\.malloc\.perturb=|^MALLOC_PERTURB_=/;

type Mallopt = (parameter: number, value: number) => number;

/** The parts of the process that {@link overwriteFreedMemory} reads. */
export type FreedMemoryWorld = Pick<NodeJS.Process, "env" | "platform">;

/**
 * Makes the C library overwrite memory when a thread of this process frees it, because SQLite and Node free buffers that
 * contain secrets without overwriting them. Only glibc can do this: there is no effect with another C library, and none if
 * the operator has chosen a byte. Returns why it failed on Linux; otherwise undefined.
 */
export async function overwriteFreedMemory({ env, platform }: FreedMemoryWorld): Promise<string | undefined> {
  if (platform !== "linux" || Object.entries(env).some((variable) => OPERATORS.test(variable.join("="))))
    return undefined;
  try {
    const { load } = await import("koffi");
    const mallopt = malloptOf(load(null));
    return mallopt?.(M_PERTURB, FREED) === 0 ? "mallopt failed" : undefined;
  } catch (error) {
    return `can't load koffi (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** The function of glibc; undefined with a C library that has none, such as musl. */
function malloptOf(library: LibraryHandle): Mallopt | undefined {
  try {
    return library.func("int mallopt(int parameter, int value)");
  } catch {
    return undefined;
  }
}
