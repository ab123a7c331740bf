import type { DeleteResult, PutResult } from "../store/operation.ts";
import { DELETE, PUT } from "./change-kind.ts";
import { ColumnReader, ColumnWriter, type Columns } from "./columns.ts";
import { type SentError, describeError, restoreError } from "./sent-error.ts";

/** The answer to a requested change. `id` is that of the request. */
export type Answer =
  | { readonly kind: "put"; readonly id: number; readonly result: PutResult }
  | { readonly kind: "delete"; readonly id: number; readonly result: DeleteResult }
  | { readonly kind: "failed"; readonly id: number; readonly error: unknown };

/** Answers to changes of one front. Every publication that they depend on was sent before. */
export interface AnswersMessage {
  readonly kind: "answers";
  readonly results: Columns;
  readonly failures: readonly { readonly id: number; readonly error: SentError }[];
}

/** Encodes answers. */
export function encodeAnswers(answers: readonly Answer[]): AnswersMessage {
  const writer = new ColumnWriter();
  const failures: { id: number; error: SentError }[] = [];
  for (const answer of answers) {
    if (answer.kind === "failed") failures.push({ id: answer.id, error: describeError(answer.error) });
    else writeResult(writer, answer);
  }
  return { kind: "answers", results: writer.end(), failures };
}

/** Decodes answers, the failed ones last. */
export function decodeAnswers({ results, failures }: AnswersMessage): Answer[] {
  const reader = new ColumnReader(results);
  const answers: Answer[] = [];
  while (!reader.isOver) answers.push(readResult(reader));
  for (const { id, error } of failures) answers.push({ kind: "failed", id, error: restoreError(error) });
  return answers;
}

function writeResult(writer: ColumnWriter, answer: Exclude<Answer, { kind: "failed" }>): void {
  writer.number(answer.kind === "put" ? PUT : DELETE);
  writer.number(answer.id);
  writer.number(answer.result.revision);
  if (answer.kind === "delete") writer.numbers(answer.result.versions);
  else for (const number of [answer.result.version, answer.result.createTime]) writer.number(number);
}

function readResult(reader: ColumnReader): Answer {
  const kind = reader.number();
  const id = reader.number();
  const revision = reader.number();
  if (kind === DELETE) return { kind: "delete", id, result: { versions: reader.numbers(), revision } };
  return { kind: "put", id, result: { version: reader.number(), revision, createTime: reader.number() } };
}
