import { type Command, Option } from "commander";
import type { World } from "../process/world.ts";
import { outputOption } from "./output-option.ts";
import { write } from "./output.ts";

/** Adds `-o table` and `-o json`. */
export function addOutputOption(command: Command): Command {
  return command.addOption(
    outputOption(new Option("-o, --output <format>", "the output format"), ["table", "json"], "table"),
  );
}

/** Prints an answer in the format of `-o`. */
export async function printAnswer<Answer extends object>(
  command: Command,
  { stdout }: Pick<World, "stdout">,
  answer: Answer,
  show: (answer: Answer) => string,
): Promise<void> {
  if (command.opts()["output"] !== "json") return write(stdout, show(answer));
  const { answerJson } = await import("./answer-json.ts");
  await write(stdout, answerJson(answer));
}
