import type { Command } from "commander";
import { parseSpiffeId } from "../../config/value.ts";
import type { PolicyQuestion } from "../../app/policy-check.ts";
import { ACTIONS, parseAction } from "../../authorization/action.ts";
import { parseSecretPath } from "../../domain/secret-path.ts";
import type { SpiffeId } from "../../spiffe/spiffe-id.ts";
import { CommandFailed } from "../command-failed.ts";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import { parsed } from "../parsed.ts";
import { printable } from "../printable.ts";
import type { World } from "../../process/world.ts";

interface CheckOptions extends Partial<Omit<PolicyQuestion, "caller">> {
  readonly as?: SpiffeId;
  readonly admin?: readonly SpiffeId[];
}

const EXAMPLES = `
Exits with 0 if the file is valid and the action is allowed, with 4 if it is denied, and with 2 if the file is invalid.

Examples:
  coffer policy check policy.yaml
  coffer policy check policy.yaml --as spiffe://example.org/ns/shop/sa/api --action read --path shop/api/db`;

/** `coffer policy check`. */
export function addPolicy(program: Command, world: World): void {
  const command = program
    .command("policy")
    .description("Check a policy file, without a server.")
    .command("check <file>")
    .summary("report the problems of a policy file, or what it allows")
    .description(
      "Report the problems of a policy file, each with its line and column. With --as, --action and --path, report " +
        "whether the policy allows the action, and by which rule. Calls no server.",
    )
    .option("--as <spiffe-id>", "the caller", parsed(parseSpiffeId))
    .option("--action <action>", ACTIONS.join(", "), parsed(parseAction))
    .option("--path <path>", "the path of a secret, which need not exist", parsed(parseSecretPath))
    .option("--admin <spiffe-id>", "an admin, as in the options of serve [repeatable]", addAdmin)
    .addHelpText("after", EXAMPLES);
  addOutputOption(command);
  command.action((file: string, options: CheckOptions) => check(command, file, options, world));
}

function addAdmin(text: string, before: readonly SpiffeId[] = []): readonly SpiffeId[] {
  return [...before, parsed(parseSpiffeId)(text)];
}

async function check(command: Command, file: string, options: CheckOptions, world: World): Promise<void> {
  const question = questionOf(options);
  const { checkPolicy } = await import("../../app/policy-check.ts");
  const policy = checkPolicy(file, options.admin ?? []);
  if (question === undefined) {
    const show = () => `${printable(file)} is valid: ${countRules(policy.rules)}\n`;
    return printAnswer(command, world, { file, rules: policy.rules }, show);
  }
  const decision = policy.decide(question);
  if (decision.kind === "denied") throw new CommandFailed("denied", `denied: no rule allows ${describe(question)}`);
  const answer = { allowed: true, rule: decision.by.name };
  await printAnswer(command, world, answer, () => `allowed by ${printable(answer.rule)}: ${describe(question)}\n`);
}

/**
 * Undefined to check only the file. A partial question is an error: its answer could be mistaken for a complete one.
 */
function questionOf({ as: caller, action, path }: CheckOptions): PolicyQuestion | undefined {
  if (caller !== undefined && action !== undefined && path !== undefined) return { caller, action, path };
  if (caller === undefined && action === undefined && path === undefined) return undefined;
  throw new CommandFailed("usage", "--as, --action and --path belong together; use all of them or none");
}

function describe({ caller, action, path }: PolicyQuestion): string {
  return `${caller} to ${action} ${path}`;
}

function countRules(count: number): string {
  return count === 1 ? "1 rule" : `${count} rules`;
}
