/** Whether SQLite can rely on a file system. */
export type Suitability =
  /** A local disk with reliable flushes and locks. */
  | { readonly kind: "suitable" }
  /** Locks work, but data can be lost with the machine or the container. `reason` says why. */
  | { readonly kind: "doubtful"; readonly reason: string }
  /** Locks or flushes are unreliable. */
  | { readonly kind: "unsuitable"; readonly name: string };

const SUITABLE: Suitability = { kind: "suitable" };
const IN_MEMORY: Suitability = doubtful("is in memory (tmpfs): a restart of the machine loses the store");

/** By the type that statfs(2) returns in `f_type` (linux/magic.h). */
const KINDS: ReadonlyMap<number, Suitability> = new Map([
  [0x0000ef53, SUITABLE], // ext2, ext3, ext4
  [0x58465342, SUITABLE], // xfs
  [0x9123683e, SUITABLE], // btrfs
  [0x2fc12fc1, SUITABLE], // zfs
  [0xf2f52010, SUITABLE], // f2fs
  [0xca451a4e, SUITABLE], // bcachefs
  [0x01021994, IN_MEMORY],
  [0x858458f6, IN_MEMORY], // ramfs
  [0x794c7630, doubtful("is on an overlay: removing the container loses the store; mount a volume")],
  [0x00006969, unsuitable("nfs")],
  [0x0000517b, unsuitable("smb")],
  [0xff534d42, unsuitable("cifs")],
  [0xfe534d42, unsuitable("smb2")],
  [0x65735546, unsuitable("fuse or virtiofs")],
  [0x01021997, unsuitable("9p")],
  [0x00c36400, unsuitable("ceph")],
  [0x5346414f, unsuitable("afs")],
  [0x0bd00bd0, unsuitable("lustre")],
  [0x47504653, unsuitable("gpfs")],
  [0x01161970, unsuitable("gfs2")],
  [0x7461636f, unsuitable("ocfs2")],
  [0x786f4256, unsuitable("vboxsf")],
]);

/**
 * Classifies a file system by Linux's `f_type`. An unknown type is doubtful and not refused, because it is more likely
 * a new local file system than a network file system.
 */
export function fileSystemSuitability(type: number): Suitability {
  const magic = type >>> 0; // a 32-bit number, negative on some platforms
  const unknown = doubtful(`is on an unknown type of file system (statfs type 0x${magic.toString(16)})`);
  return KINDS.get(magic) ?? unknown;
}

function doubtful(reason: string): Suitability {
  return { kind: "doubtful", reason };
}

function unsuitable(name: string): Suitability {
  return { kind: "unsuitable", name };
}
