import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type LogReading, readLog } from "../../../src/persistence/log-reading.ts";
import { copyAsIs } from "../../support/copy-folder.ts";
import { committed, entries, openStore, put, temporaryFolder } from "../../support/persistence-kit.ts";

const PAGE = 4096;
const FRAME = 24 + PAGE;
const HEADER = 32;
const SECTOR = 512;

/** The log of a killed server with twelve commits, and the offset of each commit's end. */
async function killedLog(): Promise<{ readonly bytes: Buffer; readonly ends: readonly number[] }> {
  const data = temporaryFolder();
  const { journal } = openStore(data);
  for (let i = 0; i < 12; i++) {
    const sealed = Buffer.alloc(i % 3 === 0 ? 12_000 : 300, i + 1);
    await committed(journal, entries(put(`path/${i}`, 1, [], sealed)));
  }
  const copy = `${data}.copy`;
  copyAsIs(data, copy);
  journal.close();
  const bytes = readFileSync(join(copy, "store", "coffer.db-wal"));
  const ends: number[] = [];
  for (let at = HEADER; at < bytes.length; at += FRAME) if (bytes.readUInt32BE(at + 4) !== 0) ends.push(at + FRAME);
  return { bytes, ends };
}

const { bytes: log, ends } = await killedLog();
const file = join(temporaryFolder(), "log");

function read(bytes: Buffer): LogReading {
  writeFileSync(file, bytes);
  return readLog(file, PAGE);
}

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(log);
  change(bytes);
  return bytes;
}

/** The number of frames of all commits of a log; undefined for a damaged log. */
function framesIn(reading: LogReading): number | undefined {
  return reading.kind === "intact" ? reading.log.frames : undefined;
}

const ALL = (log.length - HEADER) / FRAME;
/** The offsets at which the last commit and the one before it begin. */
const [lastButOne, last] = [ends.at(-3)!, ends.at(-2)!];

describe("a log", () => {
  it("is read to its last commit", () => {
    assert.equal(ends.length, 12);
    assert.equal(framesIn(read(log)), ALL);
    assert.equal(read(Buffer.alloc(0)).kind, "empty");
    assert.equal(readLog(`${file}.missing`, PAGE).kind, "empty");
  });

  // SQLite would use only the commits before the flipped bit, and versions and revisions would be used again. The test
  // flips bits in the header and in the page of every frame before the last commit.
  it("with a flipped bit before its last commit is damaged", () => {
    for (let at = HEADER; at < lastButOne; at += FRAME) {
      for (const offset of [1, 7, 9, 14, 17, 22, 24, 24 + 2000, FRAME - 1]) {
        const reading = read(changed((bytes) => (bytes[at + offset]! ^= 4)));
        assert.equal(reading.kind, "damaged", `frame at ${at}, byte ${offset}`);
      }
    }
  });

  it("with a sector of zeros before its last commits is damaged", () => {
    for (let at = 0; at < lastButOne; at += SECTOR) {
      const bytes = changed((copy) => copy.fill(0, at, at + SECTOR));
      if (!bytes.equals(log)) assert.equal(read(bytes).kind, "damaged", `sector at ${at}`);
    }
  });

  it("with a damaged or lost header is damaged", () => {
    for (let at = 0; at < HEADER; at++) {
      assert.equal(read(changed((bytes) => (bytes[at]! ^= 1))).kind, "damaged", `byte ${at}`);
    }
    assert.equal(read(changed((bytes) => bytes.fill(0, 0, HEADER))).kind, "damaged");
  });

  it("with the header of another log is damaged", async () => {
    const other = (await killedLog()).bytes;
    assert.equal(read(changed((bytes) => other.copy(bytes, 0, 0, HEADER))).kind, "damaged");
  });

  // After a power failure, any sectors of the last commit can be missing, and the file can end anywhere in it. No
  // acknowledged commit is lost, so the log must not count as damaged.
  it("is intact up to its last commit if a power failure broke that commit", () => {
    let random = 1;
    const next = () => {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
      return random / 2 ** 31;
    };
    const complete = (last - HEADER) / FRAME;
    for (let round = 0; round < 400; round++) {
      const cut = changed((bytes) => {
        for (let at = last; at < bytes.length; at += SECTOR) {
          if (next() < 0.5) bytes.fill(0, at, Math.min(at + SECTOR, bytes.length));
        }
      });
      const frames = framesIn(
        read(next() < 0.5 ? cut : cut.subarray(0, last + Math.floor(next() * (cut.length - last)))),
      );
      assert.ok(frames === complete || frames === ALL, `round ${round}: ${frames}`);
    }
  });

  // A restarted log overwrites the previous one, of which some frames remain after its end. The database already
  // contains the pages of these frames.
  it("does not count the frames of the log before a restart", async () => {
    const data = temporaryFolder();
    const { journal } = openStore(data);
    const sealed = Buffer.alloc(5 * 1024 * 1024, 1);
    await committed(journal, entries(put("large", 1, [], sealed)));
    journal.checkpoint("due");
    await committed(journal, entries(put("small", 1)));
    const copy = `${data}.copy`;
    copyAsIs(data, copy);
    journal.close();
    const bytes = readFileSync(join(copy, "store", "coffer.db-wal"));
    assert.ok(bytes.length > sealed.length);
    const frames = framesIn(read(bytes));
    assert.ok(frames !== undefined && frames > 0 && frames < 20, `${frames}`);
  });
});
