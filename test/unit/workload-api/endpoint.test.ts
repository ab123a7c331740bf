import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { EndpointError, parseEndpoint } from "../../../src/workload-api/endpoint.ts";

interface Vector {
  readonly addr: string;
  readonly expected: boolean;
  readonly note: string | null;
}

const { endpointSocket } = JSON.parse(readFileSync("test/vectors/spiffeid-cases.json", "utf8")) as {
  readonly endpointSocket: readonly Vector[];
};

function accepts(text: string): boolean {
  try {
    parseEndpoint(text);
    return true;
  } catch (error) {
    assert.ok(error instanceof EndpointError, String(error));
    return false;
  }
}

describe("parseEndpoint", () => {
  for (const { addr, expected, note } of endpointSocket) {
    it(`${expected ? "accepts" : "refuses"} ${JSON.stringify(addr)}: ${note ?? "well-formed"}`, () => {
      assert.equal(accepts(addr), expected);
    });
  }

  it("converts the endpoint to the form of gRPC's resolvers, and keeps the text", () => {
    const targets = {
      "unix:///run/spire/agent.sock": "unix:/run/spire/agent.sock",
      "unix:/run/spire/agent.sock": "unix:/run/spire/agent.sock",
      "tcp://127.0.0.1:8000": "ipv4:127.0.0.1:8000",
      "tcp://[::1]:8000": "ipv6:[::1]:8000",
    };
    for (const [text, target] of Object.entries(targets)) assert.deepEqual(parseEndpoint(text), { text, target });
  });

  // Each line has a valid endpoint, and the same endpoint with one error.
  const pairs: readonly (readonly [good: string, bad: string])[] = [
    ["unix:///a", "unix:///"],
    ["unix:///a", "unix:////a"],
    ["unix:///a/b", "unix:///a b"],
    ["unix:///a", "unix:///a\n"],
    ["unix:///a", "unix:///a\0"],
    ["unix:///a", "unix:///%61"],
    ["unix:///a", "unix:///é"],
    ["unix:///a", "UNIX:///a"],
    ["unix:///a", " unix:///a"],
    ["unix:/a", "unix://a/"],
    [`unix:///${"a".repeat(106)}`, `unix:///${"a".repeat(107)}`],
    ["tcp://1.2.3.4:1", "tcp://1.2.3.4:0"],
    ["tcp://1.2.3.4:65535", "tcp://1.2.3.4:65536"],
    ["tcp://1.2.3.4:5", "tcp://1.2.3.4:5/"],
    ["tcp://1.2.3.4:5", "tcp://1.2.3.4:+5"],
    ["tcp://1.2.3.4:5", "tcp://1.2.3.4:"],
    ["tcp://1.2.3.4:5", "tcp://01.2.3.4:5"],
    ["tcp://1.2.3.4:5", "tcp://1.2.3:5"],
    ["tcp://1.2.3.4:5", "tcp:1.2.3.4:5"],
    ["tcp://[::1]:5", "tcp://::1:5"],
    ["tcp://[::1]:5", "tcp://[::1%lo]:5"],
    ["tcp://[::1]:5", "tcp://[1.2.3.4]:5"],
    ["tcp://[::1]:5", "tcp://[::1]"],
  ];
  for (const [good, bad] of pairs) {
    it(`accepts ${JSON.stringify(good.slice(0, 30))} and refuses ${JSON.stringify(bad.slice(0, 30))}`, () => {
      assert.deepEqual([accepts(good), accepts(bad)], [true, false]);
    });
  }
});
