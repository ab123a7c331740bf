/** A protobuf field with a length (wire type 2), byte by byte, for messages that no codec writes. */
export function bytesField(number: number, content: Uint8Array | string): Buffer {
  const body = Buffer.from(content);
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
