/** One block of a PEM file (RFC 7468): the bytes between a BEGIN line and its END line. */
export interface PemBlock {
  /** Such as `CERTIFICATE`. */
  readonly label: string;
  readonly der: Buffer;
  /** The line of its BEGIN, counted from 1. */
  readonly line: number;
}

/**
 * A file is not PEM. `message` continues a sentence that begins with the file's name, and contains nothing of its
 * contents.
 */
export class PemError extends Error {
  override readonly name = "PemError";
}

const BEGIN = /^-----BEGIN ([^-]+)-----[ \t]*$/;
const BOUNDARY = /^-----(?:BEGIN|END)\b/;

/**
 * The header of a block in the traditional encrypted form (RFC 1421 4.6.1.1), as `openssl genrsa -aes256` of older
 * releases writes it.
 */
const ENCRYPTED = /^Proc-Type:.*\bENCRYPTED\b/;

// Base64 with padding only at the end.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Whether text is base64 (RFC 4648 4) of at least one byte, without any other character such as a line break. */
export function isBase64(text: string): boolean {
  return text !== "" && BASE64.test(text);
}

/**
 * The blocks with one of these labels, in order. Skips blocks with other labels, and text outside of blocks. An empty
 * file has no blocks. Throws {@link PemError} if a file that is not empty has no block with any label, if a block does
 * not end, or if a block with one of the labels is not plain base64.
 */
export function pemBlocks(file: Uint8Array, ...labels: readonly string[]): PemBlock[] {
  if (file.length === 0) return [];
  const raw = rawBlocks(Buffer.from(file).toString("latin1").split(/\r?\n/));
  if (raw.length === 0) throw new PemError("contains no PEM block");
  return raw.filter((block) => labels.includes(block.label)).map(decode);
}

/** Certificates in PEM, one block each, with a newline at the end. */
export function certificatePem(chain: readonly Uint8Array[]): string {
  return chain.map((der) => pemText("CERTIFICATE", der)).join("");
}

/** One block in PEM, with a newline at the end. */
export function pemText(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

interface RawBlock {
  readonly label: string;
  readonly line: number;
  readonly body: readonly string[];
}

function rawBlocks(lines: readonly string[]): RawBlock[] {
  const blocks: RawBlock[] = [];
  for (let index = 0; index < lines.length; index++) {
    const label = BEGIN.exec(lines[index] ?? "")?.[1];
    if (label === undefined) continue;
    const block = readBlock(lines, index, label);
    blocks.push(block);
    index += block.body.length + 1;
  }
  return blocks;
}

/** Refuses a block without its END line: a file that is still being written must not be read as a shorter file. */
function readBlock(lines: readonly string[], begin: number, label: string): RawBlock {
  const length = lines.slice(begin + 1).findIndex((line) => BOUNDARY.test(line));
  const end = lines[begin + 1 + length];
  if (length === -1 || end?.trimEnd() !== `-----END ${label}-----`) {
    throw new PemError(`has a ${label} block in line ${begin + 1} that does not end`);
  }
  return { label, line: begin + 1, body: lines.slice(begin + 1, begin + 1 + length) };
}

function decode({ label, line, body }: RawBlock): PemBlock {
  const base64 = body.map((text) => text.trim()).join("");
  if (body.some((text) => ENCRYPTED.test(text))) throw new PemError(`has an encrypted ${label} block in line ${line}`);
  if (!isBase64(base64)) {
    throw new PemError(`has a ${label} block in line ${line} that is not plain base64`);
  }
  return { label, line, der: Buffer.from(base64, "base64") };
}
