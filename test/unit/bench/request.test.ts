import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Frame, FrameSplitter, FrameType } from "../../../bench/frame.ts";
import { RequestTemplate, VALUE_BYTES, secretPath } from "../../../bench/request.ts";
import { putRequest } from "../../../src/contract/messages.ts";

/** Returns the frames in `bytes`, which arrive in chunks of `size` bytes. */
function cut(bytes: Buffer, size: number): Frame[] {
  const frames: Frame[] = [];
  const cutter = new FrameSplitter();
  for (let offset = 0; offset < bytes.length; offset += size)
    cutter.push(bytes.subarray(offset, offset + size), (frame) => frames.push({ ...frame }));
  return frames;
}

describe("a request from a template", () => {
  const template = new RequestTemplate("coffer", "put", "localhost:1");
  const number = fc.integer({ min: 0, max: 999_999_999 });

  // For any number of a secret, any stream, any offset in the buffer and any chunks in which the request arrives, the
  // request names the secret with this number on this stream, and has a value of the benchmark's size.
  it("is the Put of the secret with that number", () => {
    const anywhere = fc.tuple(
      number,
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      fc.nat(50),
      fc.integer({ min: 1, max: 500 }),
    );
    fc.assert(
      fc.property(anywhere, ([n, streamId, offset, piece]) => {
        const target = Buffer.alloc(offset + template.size);
        assert.equal(template.write(target, offset, streamId, n), target.length);
        const frames = cut(target.subarray(offset), piece);
        assert.deepEqual(
          frames.map((frame) => [frame.type, frame.streamId]),
          [
            [FrameType.headers, streamId],
            [FrameType.data, streamId],
          ],
        );
        const data = frames[1]!.payload;
        assert.equal(data.length, template.flowControlled);
        const request = putRequest.decode(data.subarray(5));
        assert.equal(request.path, secretPath(n));
        assert.equal(request.data[0]!.value.length, VALUE_BYTES);
      }),
    );
  });
});
