import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** A code example in the documentation. */
export interface Example {
  /** The page or file and the number of the example, for the title of a test. */
  readonly where: string;
  /** The code, with imports and a client added if the example has none. */
  readonly program: string;
}

const CLIENT = `import { CofferClient as DocumentedClient } from "coffer/client";
const coffer = new DocumentedClient({ address: "127.0.0.1:8553", serverId: "spiffe://example.org/coffer" });
`;

/** The examples of the doc comments below src/client. */
export function commentExamples(): Example[] {
  const files = readdirSync("src/client").map((name) => join("src/client", name));
  return files.flatMap((file) => {
    const comments = [...readFileSync(file, "utf8").matchAll(/^ *\/\*\*.*?\*\//gms)].map(([comment]) => comment);
    return blocksOf(file, comments.map((comment) => comment.replace(/^ *\* ?/gm, "")).join("\n"));
  });
}

/** The TypeScript code blocks of a page. */
export function pageExamples(file: string): Example[] {
  return blocksOf(file, readFileSync(file, "utf8"));
}

function blocksOf(file: string, text: string): Example[] {
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block as string);
  return blocks.map((block, index) => ({ where: `${file}, example ${index + 1}`, program: complete(block) }));
}

/** Adds a client named `coffer`, unless the example creates its own. */
function complete(block: string): string {
  if (/\bnew CofferClient\(/.test(block)) return block;
  const imports = block.match(/^import .*;\n/gm)?.join("") ?? "";
  return `${imports}${CLIENT}${block.replace(/^import .*;\n/gm, "")}\nawait coffer.close();\n`;
}
