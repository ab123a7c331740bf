import { basename } from "node:path";
import type { ParsedNode } from "yaml";
import { parseChoice, parseDuration, parseFilePath } from "../config/value.ts";
import type { SecretDocument } from "../files/secret-document.ts";
import type { Reaction, Contents, FileConfig, ContentSource, SignalReceiver, TargetConfig } from "./agent-config.ts";
import { ConfigFields } from "./config-fields.ts";
import * as parse from "./config-values.ts";
import type { ReadText } from "./read-text.ts";
import { Template } from "./template.ts";

/** The keys that say what is in a file. */
const SOURCE_KEYS = ["secret", "key", "decode", "template", "template_file", "secrets"];

/** The keys of a target, of a file of a directory, and of `on_change`. */
export const TARGET_KEYS = [
  ...["name", "file", "directory", "files", ...SOURCE_KEYS, "mode", "owner", "group", "allow_disk"],
  ...["on_change", "when_gone", "remove_after_outage"],
];
export const FILE_KEYS = ["file", ...SOURCE_KEYS, "mode"];
export const ON_CHANGE_KEYS = ["command", "timeout", "signal", "pid_file", "process"];

const DEFAULT_MODE = 0o400;
const DEFAULT_TIMEOUT_MS = 30_000;

/** Reads one target. Records its problems in the document, and returns undefined if it has no name or no place. */
export function readTarget(document: SecretDocument, node: ParsedNode, read: ReadText): TargetConfig | undefined {
  const fields = ConfigFields.read(document, node, "a target", TARGET_KEYS);
  if (fields === undefined) return undefined;
  const name = fields.required("name", parse.parseTargetName);
  const kind = fields.oneOf(["file", "directory"]);
  const path = kind && fields.optional(kind, parse.parseDestination);
  const contents = kind === "file" ? contentOf(fields, path, read) : kind && contentsOf(document, fields, read);
  const target = {
    rights: {
      mode: fields.optional("mode", parse.parseFileMode) ?? DEFAULT_MODE,
      owner: fields.optional("owner", parse.parseId),
      group: fields.optional("group", parse.parseId),
    },
    allowDisk: fields.optional("allow_disk", parse.parseFlag) ?? false,
    onChange: onChangeOf(fields),
    whenGone: fields.optional("when_gone", parseChoice(["keep", "remove"] as const)) ?? "keep",
    removeAfterOutageMs: fields.optional("remove_after_outage", parseDuration),
  } as const;
  if (name === undefined || kind === undefined || path === undefined || contents === undefined) return undefined;
  return { name, place: { kind, path }, contents, ...target };
}

/** The only file of a target with the key `file`. */
function contentOf(fields: ConfigFields, path: string | undefined, read: ReadText): Contents | undefined {
  fields.refuse(["files"], "belongs to a directory");
  const source = sourceOf(fields, read);
  return source && { kind: "files", files: [{ name: basename(path ?? ""), source, mode: undefined }] };
}

/** The files of a target with the key `directory`. */
function contentsOf(document: SecretDocument, fields: ConfigFields, read: ReadText): Contents | undefined {
  const reason = "belongs in an entry of files";
  fields.refuse(["key", "decode", "template", "template_file", "secrets"], reason);
  const kind = fields.oneOf(["files", "secret"]);
  if (kind === undefined) return undefined;
  if (kind === "files") return { kind: "files", files: filesOf(document, fields, read) };
  const secret = fields.optional("secret", parse.parseSecret);
  return secret === undefined ? undefined : { kind: "keys", secret };
}

function filesOf(document: SecretDocument, fields: ConfigFields, read: ReadText): readonly FileConfig[] {
  const seen = new Set<string>();
  return fields.items("files").flatMap((node) => {
    const file = ConfigFields.read(document, node, "a file", FILE_KEYS);
    if (file === undefined) return [];
    const name = file.required("file", parse.parseFileName);
    const source = sourceOf(file, read);
    const mode = file.optional("mode", parse.parseFileMode);
    if (name === undefined || source === undefined) return [];
    if (seen.has(name)) return file.reject(`the file ${name} is repeated`, "file") ?? [];
    seen.add(name);
    return [{ name, source, mode }];
  });
}

function sourceOf(fields: ConfigFields, read: ReadText): ContentSource | undefined {
  const kind = fields.oneOf(["secret", "template", "template_file"]);
  if (kind === undefined) return undefined;
  if (kind !== "secret") return templateOf(fields, kind, read);
  fields.refuse(["secrets"], "belongs to a template");
  const secret = fields.optional("secret", parse.parseSecret);
  const key = fields.required("key", parse.parseKey);
  const isBase64 = fields.optional("decode", parseChoice(["base64"])) !== undefined;
  return secret === undefined || key === undefined ? undefined : { kind: "value", secret, key, isBase64 };
}

function templateOf(
  fields: ConfigFields,
  kind: "template" | "template_file",
  read: ReadText,
): ContentSource | undefined {
  fields.refuse(["key", "decode"], "has no effect with a template");
  const secrets = fields.mapping("secrets", parse.parseSecret);
  const names = [...secrets.keys()];
  if (!names.every(parse.isTemplateName)) {
    return fields.reject("a name of a secret must be a letter, followed by letters, digits and _", "secrets");
  }
  const template = fields.optional(kind, (text) => {
    const source = kind === "template" ? text : readTemplate(parseFilePath(text), read);
    return Template.parse(source, names);
  });
  return template && { kind: "template", template, secrets };
}

function readTemplate(file: string, read: ReadText): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(read(file));
  } catch (error) {
    throw new Error(error instanceof TypeError ? `${file} is not UTF-8` : `${file} ${(error as Error).message}`);
  }
}

function onChangeOf(target: ConfigFields): Reaction | undefined {
  const fields = target.fields("on_change", ON_CHANGE_KEYS);
  const kind = fields?.oneOf(["command", "signal"]);
  if (fields === undefined || kind === undefined) return undefined;
  if (kind === "signal") {
    fields.refuse(["timeout"], "belongs to a command");
    const receiver = receiverOf(fields);
    const signal = fields.optional("signal", parse.parseSignal);
    return receiver && signal && { kind: "signal", signal, receiver };
  }
  fields.refuse(["pid_file", "process"], "belongs to a signal");
  const [program, ...rest] = fields.texts("command");
  const timeoutMs = fields.optional("timeout", parseDuration) ?? DEFAULT_TIMEOUT_MS;
  return program === undefined ? undefined : { kind: "command", program, arguments: rest, timeoutMs };
}

function receiverOf(fields: ConfigFields): SignalReceiver | undefined {
  const kind = fields.oneOf(["pid_file", "process"]);
  if (kind === "pid_file") {
    const path = fields.optional("pid_file", parse.parseDestination);
    return path === undefined ? undefined : { kind: "pid-file", path };
  }
  const name = fields.optional("process", parse.parseProcessName);
  return name === undefined ? undefined : { kind: "name", name };
}
