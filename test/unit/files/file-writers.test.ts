import assert from "node:assert/strict";
import { it } from "node:test";
import { describeWriters, otherWriters, type Writers } from "../../../src/files/file-writers.ts";

const ROOT = 0;
const SELF = { uid: 1000, gid: 1000 };
const OTHER = 2000;

// A user who can write a file controls its content.
const FILES: readonly [uid: number, gid: number, mode: number, writers: Writers | undefined][] = [
  [SELF.uid, SELF.gid, 0o644, undefined],
  [ROOT, ROOT, 0o644, undefined],
  [ROOT, OTHER, 0o440, undefined],
  [SELF.uid, SELF.gid, 0o666, "every user"],
  [SELF.uid, SELF.gid, 0o602, "every user"],
  [ROOT, ROOT, 0o777, "every user"],
  [SELF.uid, OTHER, 0o664, "group"],
  [ROOT, OTHER, 0o620, "group"],
  // A umask of 002 creates such files on systems on which each user has a private group.
  [SELF.uid, SELF.gid, 0o664, "own group"],
  [OTHER, OTHER, 0o644, "owner"],
  [OTHER, SELF.gid, 0o400, "owner"],
  [OTHER, OTHER, 0o666, "every user"],
];
for (const [uid, gid, mode, writers] of FILES) {
  it(`a file with mode ${mode.toString(8)} of ${uid}:${gid} can be written by ${writers ?? "no other user"}`, () => {
    const access = { uid, gid, mode: 0o100000 | mode };
    assert.equal(otherWriters(access, SELF), writers);
    if (writers === undefined) return;
    const said = describeWriters(writers, access, "/etc/a b");
    assert.match(said, new RegExp(`\\(owner uid ${uid}, gid ${gid}, mode 0${mode.toString(8)}\\)`));
    assert.equal(/run: chmod go-w '\/etc\/a b'$/.test(said), writers !== "owner");
  });
}
