import { parser } from "@prometheus-io/lezer-promql";

type Tree = ReturnType<typeof parser.parse>;
type Node = Tree["topNode"];

/** A condition on a label of a selector. */
interface LabelMatcher {
  readonly label: string;
  readonly operator: string;
  /** The text between the quotes. */
  readonly value: string;
}

/** A selector of series in a query. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly LabelMatcher[];
  /** Whether it is the argument of rate() or a similar function, which requires a counter. */
  readonly isCounted: boolean;
}

/** The selectors and labels of a query. */
export interface Query {
  readonly selectors: readonly Selector[];
  /** The labels by which it groups or joins. */
  readonly grouping: readonly string[];
}

const strict = parser.configure({ strict: true });

/** Parses a query with Prometheus' own grammar. Throws SyntaxError if it is invalid; types are not checked. */
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

/** The function whose argument is a range of the selector; empty if there is none. */
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
