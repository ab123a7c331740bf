import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { KeyedQueue } from "../../../src/domain/keyed-queue.ts";

type Step = (queue: KeyedQueue<string, number>, model: [string, number][]) => void;

const key = fc.constantFrom("a", "b", "c", "d", "e");

/** Removes the value of a key from the model. */
function remove(model: [string, number][], wanted: string): boolean {
  const at = model.findIndex(([each]) => each === wanted);
  if (at >= 0) model.splice(at, 1);
  return at >= 0;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(key, fc.nat()).map(
    ([put, value]): Step =>
      (queue, model) => {
        queue.put(put, value);
        remove(model, put);
        model.push([put, value]);
      },
  ),
  fc.constant<Step>((queue, model) => assert.deepEqual(queue.take(), model.shift())),
  key.map(
    (deleted): Step =>
      (queue, model) =>
        assert.equal(queue.delete(deleted), remove(model, deleted)),
  ),
  fc.constant<Step>((queue, model) => {
    queue.clear();
    model.length = 0;
  }),
);

// Whatever is put, taken and deleted, also after the queue was empty, the queue has the values in the order in which they
// were last put.
it("a keyed queue has one value for each key, in the order in which they were last put", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const queue = new KeyedQueue<string, number>();
      const model: [string, number][] = [];
      for (const each of steps) {
        each(queue, model);
        assert.equal(queue.size, model.length);
        assert.deepEqual(
          [...queue.values()],
          model.map(([, value]) => value),
        );
        for (const [name, value] of model) assert.deepEqual([queue.has(name), queue.get(name)], [true, value]);
      }
    }),
  );
});
