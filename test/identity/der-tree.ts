import { element } from "../support/der-writer.ts";

/**
 * DER as a tree that can be changed and encoded again with correct lengths. Lenient: what it can't read remains bytes.
 */
export interface Node {
  /** The identifier octet. */
  tag: number;
  /**
   * Bytes, or the elements that they encode. The bytes of an OCTET STRING are read as elements too, because they can be
   * the value of an extension.
   */
  content: Buffer | Node[];
}

const OCTET_STRING = 0x04;
const CONSTRUCTED = 0x20;

/** Reads consecutive elements; undefined if the bytes are not DER. */
export function readNodes(bytes: Buffer): Node[] | undefined {
  const nodes: Node[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const extent = extentOf(rest);
    if (extent === undefined || extent.end > rest.length) return undefined;
    nodes.push(readNode(rest[0]!, rest.subarray(extent.start, extent.end)));
    rest = rest.subarray(extent.end);
  }
  return nodes;
}

/** All nodes of a tree, each with the list that contains it, the outer ones first. */
export function placesOf(nodes: Node[]): { readonly list: Node[]; readonly index: number }[] {
  return nodes.flatMap(({ content }, index) => [
    { list: nodes, index },
    ...(Array.isArray(content) ? placesOf(content) : []),
  ]);
}

export function writeNodes(nodes: readonly Node[]): Buffer {
  return Buffer.concat(
    nodes.map(({ tag, content }) => element(tag, Array.isArray(content) ? writeNodes(content) : content)),
  );
}

function readNode(tag: number, content: Buffer): Node {
  const holdsNodes = (tag & CONSTRUCTED) !== 0 || tag === OCTET_STRING;
  return { tag, content: (holdsNodes && content.length > 0 && readNodes(content)) || content };
}

/** The position of the first element's contents. */
function extentOf(bytes: Buffer): { readonly start: number; readonly end: number } | undefined {
  const short = bytes[1] ?? 0x80;
  const digits = short < 0x80 ? 0 : short - 0x80;
  const start = 2 + digits;
  if (short === 0x80 || digits > 4 || start > bytes.length) return undefined;
  return { start, end: start + (digits === 0 ? short : bytes.readUIntBE(2, digits)) };
}
