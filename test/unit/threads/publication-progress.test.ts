import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PublicationProgress, next } from "../../../src/threads/publication-progress.ts";

/** A number that is `ahead` publications after another. */
function after(number: number, ahead: number): number {
  return (number + ahead) | 0;
}

/** Any number, and often one shortly before the number wraps around. */
const anyNumber = fc.oneof(
  fc.integer(),
  fc.integer({ min: 2 ** 31 - 100, max: 2 ** 31 - 1 }),
  fc.constantFrom(-1, 0, -100),
);
const lag = fc.nat({ max: 1000 });

describe("the progress of publications", () => {
  // The count of publications has 32 bits. With 10,000 publications a second, it wraps around after five days.
  it("is the same for any number of earlier publications, also when the number wraps around", () => {
    fc.assert(
      fc.property(anyNumber, fc.array(lag, { minLength: 1, maxLength: 8 }), lag, (published, lags, age) => {
        const progress = PublicationProgress.of(lags.length);
        progress.published = published;
        lags.forEach((behind, front) => void progress.applied(front, after(published, -behind)));
        assert.equal(progress.lag, Math.max(...lags));
        assert.equal(progress.isApplied(after(published, -age)), Math.max(...lags) <= age);
        assert.equal(progress.isPublished(after(published, -age)), true);
        assert.equal(progress.isPublished(after(published, 1 + age)), false);
      }),
      { numRuns: 1000 },
    );
  });

  it("counts from the greatest number to the least", () => {
    assert.equal(next(2 ** 31 - 1), -(2 ** 31));
    assert.equal(next(-1), 0);
  });

  // Each thread has its own object.
  it("is shared through its memory", () => {
    const store = PublicationProgress.of(2);
    const front = new PublicationProgress(store.memory);
    store.published = 7;
    front.applied(1, 5);
    assert.deepEqual([front.published, store.appliedBy(0), store.appliedBy(1), store.lag], [7, 0, 5, 7]);
    front.applied(0, 6);
    assert.equal(store.lag, 2);
  });
});
