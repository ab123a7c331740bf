import { parser } from "@prometheus-io/lezer-promql";

type Tree = ReturnType<typeof parser.parse>;
type Node = Tree["topNode"];

/** One condition on a label of a selector. */
interface LabelMatcher {
  readonly label: string;
  readonly operator: string;
  /** What stands between the quotes. */
  readonly value: string;
}

/** Where a query asks for series. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly LabelMatcher[];
  /** Whether it is asked how it grew, as by rate(): something that only counts up must be there. */
  readonly isCounted: boolean;
}

/** What a query asks for. */
export interface Query {
  readonly selectors: readonly Selector[];
  /** The labels that it groups or joins by. */
  readonly grouping: readonly string[];
}

const strict = parser.configure({ strict: true });

/** Reads a query by Prometheus' own grammar. Throws SyntaxError where it is none; types are not checked. */
export function parseQuery(text: string): Query {
  const { topNode } = strict.parse(text);
  return {
    selectors: nodesOf(topNode, "VectorSelector").map((node) => selectorAt(node, text)),
    grouping: nodesOf(topNode, "GroupingLabels").flatMap((labels) =>
      nodesOf(labels, "LabelName").map((label) => textOf(label, text)),
    ),
  };
}

function selectorAt(node: Node, text: string): Selector {
  return {
    metric: textOf(node.getChild("Identifier")!, text),
    matchers: nodesOf(node, "UnquotedLabelMatcher").map((matcher) => ({
      label: textOf(matcher.getChild("LabelName")!, text),
      operator: textOf(matcher.getChild("MatchOp")!, text),
      value: textOf(matcher.getChild("StringLiteral")!, text).slice(1, -1),
    })),
    isCounted: COUNTING.includes(functionAround(node, text)),
  };
}

const COUNTING = ["rate", "irate", "increase", "resets"];

/** The function that a range of the selector is an argument of; empty when there is none. */
function functionAround(node: Node, text: string): string {
  if (node.parent?.name !== "MatrixSelector") return "";
  let call: Node | null = node.parent;
  while (call !== null && call.name !== "FunctionCall") call = call.parent;
  const name = call?.getChild("FunctionIdentifier");
  return name ? textOf(name, text) : "";
}

function nodesOf(top: Node, name: string): Node[] {
  const found: Node[] = [];
  top.cursor().iterate(({ name: own, node }) => {
    if (own === name) found.push(node);
  });
  return found;
}

function textOf({ from, to }: Node, text: string): string {
  return text.slice(from, to);
}
