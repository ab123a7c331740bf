import assert from "node:assert/strict";
import { it } from "node:test";
import { describeWriters, otherWriters, type Writers } from "../../../src/files/file-writers.ts";

const ROOT = 0;
const SELF = { uid: 1000, gid: 1000 };
const OTHER = 2000;

// Who may write a file decides what is in it, whatever its reader believes.
const FILES: readonly [uid: number, gid: number, mode: number, writers: Writers | undefined][] = [
  [SELF.uid, SELF.gid, 0o644, undefined],
  [ROOT, ROOT, 0o644, undefined],
  [ROOT, OTHER, 0o440, undefined],
  [SELF.uid, SELF.gid, 0o666, "everybody"],
  [SELF.uid, SELF.gid, 0o602, "everybody"],
  [ROOT, ROOT, 0o777, "everybody"],
  [SELF.uid, OTHER, 0o664, "group"],
  [ROOT, OTHER, 0o620, "group"],
  // As a umask of 002 makes files, where each user has a group alone.
  [SELF.uid, SELF.gid, 0o664, "own group"],
  [OTHER, OTHER, 0o644, "owner"],
  [OTHER, SELF.gid, 0o400, "owner"],
  [OTHER, OTHER, 0o666, "everybody"],
];
for (const [uid, gid, mode, writers] of FILES) {
  it(`mode ${mode.toString(8)} of ${uid}:${gid} may be written by ${writers ?? "nobody else"}`, () => {
    const access = { uid, gid, mode: 0o100000 | mode };
    assert.equal(otherWriters(access, SELF), writers);
    if (writers === undefined) return;
    const said = describeWriters(writers, access, "/etc/a b");
    assert.match(said, new RegExp(`\\(owner uid ${uid}, gid ${gid}, mode 0${mode.toString(8)}\\)`));
    assert.equal(/run: chmod go-w '\/etc\/a b'$/.test(said), writers !== "owner");
  });
}
