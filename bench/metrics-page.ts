/** Reads the metrics of the server with this ops port. The result returns the value of a sample without labels. */
export async function readMetrics(opsPort: number): Promise<(sample: string) => number> {
  const page = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text();
  return (sample) => {
    const value = new RegExp(`^${sample} (\\S+)$`, "m").exec(page)?.[1];
    if (value === undefined) throw new Error(`the metrics have no ${sample}`);
    return Number(value);
  };
}
