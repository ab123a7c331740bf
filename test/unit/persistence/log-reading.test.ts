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

/** A log of twelve commits as a kill leaves it, and where in the file each commit ends. */
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

/** How many frames the commits of a log have together; undefined for a damaged one. */
function framesIn(reading: LogReading): number | undefined {
  return reading.kind === "intact" ? reading.log.frames : undefined;
}

const ALL = (log.length - HEADER) / FRAME;
/** Where the last commit begins, and the one before it. */
const [lastButOne, last] = [ends.at(-3)!, ends.at(-2)!];

describe("a log", () => {
  it("is read to its last commit", () => {
    assert.equal(ends.length, 12);
    assert.equal(framesIn(read(log)), ALL);
    assert.equal(read(Buffer.alloc(0)).kind, "empty");
    assert.equal(readLog(`${file}.missing`, PAGE).kind, "empty");
  });

  // SQLite would serve what comes before the flip and use its versions and revisions again. Every frame before the last
  // commit, in its header as in its page.
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

  // What a power cut leaves: any part of the sectors of the last commit, in any order, and the end of the file anywhere
  // in it. Nothing that was acknowledged is lost, so that no alarm may be raised.
  it("whose last commit a power cut has broken is intact up to that", () => {
    let random = 1;
    const next = () => {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
      return random / 2 ** 31;
    };
    const whole = (last - HEADER) / FRAME;
    for (let round = 0; round < 400; round++) {
      const cut = changed((bytes) => {
        for (let at = last; at < bytes.length; at += SECTOR) {
          if (next() < 0.5) bytes.fill(0, at, Math.min(at + SECTOR, bytes.length));
        }
      });
      const frames = framesIn(
        read(next() < 0.5 ? cut : cut.subarray(0, last + Math.floor(next() * (cut.length - last)))),
      );
      assert.ok(frames === whole || frames === ALL, `round ${round}: ${frames}`);
    }
  });

  // A restarted log is written over the one before it, whose frames stay behind its end. They are in the database.
  it("that was restarted does not count the frames before", async () => {
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
