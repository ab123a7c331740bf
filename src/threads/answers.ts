import type { ChangeResult, OperationResult } from "../store/command.ts";
import { ColumnReader, ColumnWriter, type Columns } from "./columns.ts";
import { type SentError, describeError, restoreError } from "./sent-error.ts";

/** The answer to a requested change. `id` is that of the request. */
export type Answer =
  | { readonly kind: "done"; readonly id: number; readonly result: ChangeResult }
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
    else writeDone(writer, answer.id, answer.result);
  }
  return { kind: "answers", results: writer.end(), failures };
}

/** Decodes answers, the failed ones last. */
export function decodeAnswers({ results, failures }: AnswersMessage): Answer[] {
  const reader = new ColumnReader(results);
  const answers: Answer[] = [];
  while (!reader.isOver) answers.push(readDone(reader));
  for (const { id, error } of failures) answers.push({ kind: "failed", id, error: restoreError(error) });
  return answers;
}

function writeDone(writer: ColumnWriter, id: number, { revision, time, results }: ChangeResult): void {
  writer.number(id);
  writer.number(revision);
  writer.number(time);
  writer.list(results, writeResult);
}

function readDone(reader: ColumnReader): Answer {
  const id = reader.number();
  const result = { revision: reader.number(), time: reader.number(), results: reader.list(readResult) };
  return { kind: "done", id, result };
}

function writeResult(writer: ColumnWriter, { versions, expireTime }: OperationResult): void {
  writer.numbers(versions);
  writer.optional(expireTime);
}

function readResult(reader: ColumnReader): OperationResult {
  return { versions: reader.numbers(), expireTime: reader.optional() };
}
