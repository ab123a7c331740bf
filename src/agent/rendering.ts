import { isUtf8 } from "node:buffer";
import type { Content } from "../domain/content.ts";
import type { Contents, FileConfig, ContentSource, TargetConfig } from "./agent-config.ts";
import type { ExpectedFile, FileRights, WantedFile } from "./destination.ts";
import { FileSet } from "./file-set.ts";
import { TemplateProblem } from "./template.ts";

/** The secrets of a target do not have what its files need. The message contains no value. */
export class RenderingProblem extends Error {
  override readonly name = "RenderingProblem";
}

/** The content of each secret, by path. */
export type SecretContents = ReadonlyMap<string, Content>;

/**
 * The files of a target. The buffers are copies, so that the caller can overwrite them. Throws {@link RenderingProblem}.
 */
export function renderFiles({ contents, rights }: TargetConfig, secrets: SecretContents): readonly WantedFile[] {
  if (contents.kind === "files") return contents.files.map((file) => renderFile(file, rights, secrets));
  return filesOfKeys(contents, rights, secrets);
}

/**
 * The files that a target is expected to have, with any content. A target with one file for each key has no configured
 * names: for such a target, these are `names`, the names of the files that are there.
 */
export function filesOfAnyContent(
  { contents, rights }: TargetConfig,
  names: readonly string[],
): readonly ExpectedFile[] {
  const content = undefined;
  if (contents.kind === "keys") return names.map((name) => ({ name, content, rights }));
  return contents.files.map((file) => ({ name: file.name, content, rights: rightsOf(file, rights) }));
}

function filesOfKeys(
  { secret }: Extract<Contents, { readonly kind: "keys" }>,
  rights: FileRights,
  secrets: SecretContents,
): readonly WantedFile[] {
  return contentOf(secret, secrets)
    .entries()
    .map(({ key, value }) => {
      if (!FileSet.isAllowed(key)) throw new RenderingProblem(`${secret}: the key ${key} can't be the name of a file`);
      return { name: key, content: Buffer.from(value), rights };
    });
}

function renderFile(file: FileConfig, rights: FileRights, secrets: SecretContents): WantedFile {
  const { name, source } = file;
  return { name, content: renderSource(source, name, secrets), rights: rightsOf(file, rights) };
}

function rightsOf({ mode }: FileConfig, rights: FileRights): FileRights {
  return { ...rights, mode: mode ?? rights.mode };
}

function renderSource(source: ContentSource, name: string, secrets: SecretContents): Buffer {
  if (source.kind === "value") return valueBytes(source, secrets);
  const values = [...source.secrets].map(([alias, path]) => [alias, textsOf(contentOf(path, secrets))] as const);
  try {
    return Buffer.from(source.template.render(new Map(values)));
  } catch (error) {
    if (!(error instanceof TemplateProblem)) throw error;
    throw new RenderingProblem(`the template of ${name}: ${error.message}`);
  }
}

function valueBytes(
  { secret, key, isBase64 }: Extract<ContentSource, { readonly kind: "value" }>,
  secrets: SecretContents,
): Buffer {
  const value = contentOf(secret, secrets).bytes(key);
  if (value === undefined) throw new RenderingProblem(`${secret} has no key ${key}`);
  return isBase64 ? decoded(value, `the value of ${key} in ${secret}`) : Buffer.from(value);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Decodes base64 strictly (RFC 4648, section 4). Line breaks are ignored, because base64(1) adds them. */
function decoded(value: Uint8Array, what: string): Buffer {
  const text = Buffer.from(value).toString("latin1").replace(/\s/g, "");
  if (!BASE64.test(text)) throw new RenderingProblem(`${what} is not base64`);
  return Buffer.from(text, "base64");
}

/** The values that are texts. A template can't contain other bytes. */
function textsOf(content: Content): ReadonlyMap<string, string> {
  const texts = content.entries().filter(({ value }) => isUtf8(value));
  return new Map(texts.map(({ key, value }) => [key, Buffer.from(value).toString()]));
}

function contentOf(path: string, secrets: SecretContents): Content {
  const content = secrets.get(path);
  if (content === undefined) throw new RenderingProblem(`${path} was not read`);
  return content;
}
