import { page, table } from "./pages.ts";

/** A permitted import from another module: all of it, or only the types of one file. */
interface Allowance {
  /** A module, or a path below src. */
  readonly target: string;
  readonly kind: "module" | "types of a file";
}

/** A folder of src, or the one file directly in it, as docs/architecture.md describes it. */
export interface Module {
  readonly name: string;
  /** A module imports only from lower layers. */
  readonly layer: number;
  /** The npm packages that it may import. A package that no module names may not be imported. */
  readonly packages: readonly string[];
  /** The only modules and files that it may import; undefined: every module of a lower layer. */
  readonly only: readonly Allowance[] | undefined;
}

/** The modules of src from the top layer down. The table in docs/architecture.md is their only source. */
export function readLayers(): readonly Module[] {
  const rows = table(page("docs/architecture.md"), "Layer", "Module", "What it does", "Packages", "May import");
  return rows.map((row) => ({
    name: unquoted(row["Module"] ?? ""),
    layer: Number(row["Layer"]),
    packages: listed(row["Packages"] ?? ""),
    only: allowancesOf(row["May import"] ?? ""),
  }));
}

function allowancesOf(cell: string): readonly Allowance[] | undefined {
  if (cell === "layers below") return undefined;
  if (cell === "nothing") return [];
  return cell.split(", ").map((item) => {
    const file = /^types of (`.*`)$/.exec(item)?.[1];
    return file === undefined
      ? { target: unquoted(item), kind: "module" }
      : { target: unquoted(file), kind: "types of a file" };
  });
}

function listed(cell: string): string[] {
  return cell === "" ? [] : unquoted(cell).split(", ");
}

function unquoted(text: string): string {
  return text.replaceAll("`", "");
}
