/** The sealed bytes of a version. They can move, so call {@link SealedBytes.bytes} for each use. */
export interface SealedBytes {
  readonly length: number;
  /** A view, valid until the next change of the store. */
  bytes(): Buffer;
}

/**
 * Keeps the sealed contents of all versions. `Sealed` is the form in which a change carries a content: the bytes on the
 * thread that commits, and their place in shared memory on the threads that follow it.
 */
export interface SealedContents<Sealed> {
  /** Takes the content of a new version. */
  add(sealed: Sealed): SealedBytes;
  /** Releases a content that {@link add} returned, because its version is gone. It must not be read afterwards. */
  release(sealed: SealedBytes): void;
}
