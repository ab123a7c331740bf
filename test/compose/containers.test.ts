import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Image } from "./image.ts";
import { Project } from "./project.ts";
import { reasonToSkip } from "./reason-to-skip.ts";

const skip = reasonToSkip();

/** The maximum size of the base image in bytes: the packages of distroless' cc have 26 MB on Debian 12. */
const BASE_BYTES = 30e6;
const LIMIT_BYTES = 200e6;

/** The libraries in distroless' cc: those of libc6, libgcc-s1, libgomp1, libssl3 and libstdc++6. */
const BASE_LIBRARIES = /^(ld-linux-.*|lib(c|m|dl|pthread|rt|resolv|gcc_s|gomp|ssl|crypto|stdc\+\+))\.so\.\d+$/;

let project: Project;
before(() => {
  if (!skip) project = new Project();
});
after(() => project?.end());

describe("the image, built in an empty folder", { skip }, () => {
  let image: Image;
  /** The paths that it adds to its base. */
  let files: string[];
  before(async () => {
    image = await project.image(project.service("coffer"));
    const added = ["app", "usr/local", "var/lib/coffer", "etc/coffer"];
    const all = added.flatMap((top) => filesBelow(image.folder, top));
    files = all.sort();
  });

  it("has the program, but no key and nothing that is only for building or testing", () => {
    for (const needed of ["app/dist/src/main.js", "app/package.json", "app/proto/descriptors.binpb", "app/LICENSE"]) {
      assert.ok(files.includes(needed), needed);
    }
    const own = files.filter((path) => !path.startsWith("app/node_modules/"));
    assert.deepEqual(
      own.filter((path) => !ALLOWED.test(path)),
      [],
    );
    assert.deepEqual(
      files.filter((path) => NEVER.test(path)),
      [],
    );
    assert.ok(NEVER.test("app/certs/dev/ca.pem"), "the pattern finds nothing");
    const packages = ["typescript", "fast-check", "ajv", "@biomejs", "@bufbuild"];
    const tops = readdirSync(join(image.folder, "app/node_modules"));
    assert.deepEqual(
      packages.filter((name) => tops.includes(name)),
      [],
    );
  });

  it("takes at most 200 MB with its base", (t) => {
    const bytes = files.reduce((sum, path) => sum + statSync(join(image.folder, path)).size, 0);
    t.diagnostic(
      `${(bytes / 1e6).toFixed(1)} MB in ${files.length} files, and at most ${BASE_BYTES / 1e6} MB of the base`,
    );
    assert.ok(bytes + BASE_BYTES <= LIMIT_BYTES, `${bytes} bytes`);
  });

  it("needs only libraries that its base has", () => {
    const programs = files.filter((path) => /\.node$|\/bin\/node$/.test(path));
    assert.ok(programs.length >= 3, `only ${programs}`);
    for (const program of programs) {
      const header = execFileSync("readelf", ["--dynamic", join(image.folder, program)], { encoding: "utf8" });
      const needed = [...header.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name!);
      assert.ok(needed.includes("libc.so.6"), header);
      assert.deepEqual(
        needed.filter((name) => !BASE_LIBRARIES.test(name)),
        [],
        program,
      );
    }
  });

  // Files of a repository that was cloned with a umask of 077 are readable only for their owner, who is not the user of
  // the image.
  it("can be read by every user, whatever the modes of the clone are", () => {
    const paths = files.filter((path) => path.startsWith("app/")).flatMap((path) => [path, dirname(path)]);
    const closed = [...new Set(paths)].filter((path) => !isReadable(statSync(join(image.folder, path))));
    assert.deepEqual(closed, []);
    // Everything from the clone passes through a stage that sets its modes.
    const last = readFileSync("Dockerfile", "utf8")
      .split(/^FROM /m)
      .at(-1)!;
    assert.deepEqual(
      last.split("\n").filter((line) => line.startsWith("COPY ") && !line.includes("--from=")),
      [],
    );
  });

  it("starts without a shell, as an unprivileged user, on the documented Node", () => {
    assert.equal(image.user, "65532:65532");
    assert.equal(image.entrypoint[0], "/usr/local/bin/node");
    assert.deepEqual(image.command, ["serve"]);
    const [, release] = /^ARG NODE=([\d.]+)-/m.exec(readFileSync("Dockerfile", "utf8"))!;
    const version = execFileSync(join(image.folder, "usr/local/bin/node"), ["--version"], { encoding: "utf8" });
    assert.equal(version.trim(), `v${release}`);
  });
});

/** The paths that the image may add to its base, apart from those of packages. */
const ALLOWED =
  /^(app\/(dist\/src\/(.*\.js|commit)|package\.json|LICENSE|proto\/descriptors\.binpb)|usr\/local\/bin\/node)$/;
const NEVER = /(^|\/)(\.git|\.coffer|certs)\/|\.key$|root-key\/.|\.pem$|\.test\.js$/;

/** Whether every user may read a file, or enter a folder. */
function isReadable(stats: Stats): boolean {
  const needed = stats.isDirectory() ? 0o005 : 0o004;
  return (stats.mode & needed) === needed;
}

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(root, path) : [path];
  });
}

// One session, from the first start to the second: the tests depend on each other.
describe("the services of docker-compose.yml, as processes", { skip }, () => {
  let password: string;

  it("start in order, become healthy, and do their work", async () => {
    await project.up();
    assert.match(project.container("api").log, /^shop\/api\/db version 1 [\s\S]*^the user of shop\/api\/db is app$/m);
    assert.match(project.container("web").log, /^the url of shop\/shared\/queue is amqp:\/\/queue:5672$/m);
    assert.match(project.container("web").log, /no rule allows the caller to read shop\/api\/db$/m);
  });

  // These tests would prove nothing if the processes ran with more rights than the compose file gives them.
  for (const [name, uid] of Object.entries({ coffer: 65532, "spire-server": 1000, "spire-agent": 0 })) {
    it(`${name} runs as user ${uid} without capabilities, new privileges, or core dumps`, async () => {
      const pid = await project.container(name).pid();
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
      assert.deepEqual(status.match(/^Cap\w+:\t0{16}$/gm)?.length, 5, status);
      assert.match(status, /^NoNewPrivs:\t1$/m);
      assert.match(readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max core file size +0 +0 /m);
      assert.equal(/^NSpid:.*\t1$/m.test(status), name !== "spire-agent", "is process 1 of its container");
    });
  }

  it("coffer can write only to its data folder", async () => {
    const write = (path: string) => `fs.writeFileSync(${JSON.stringify(path)}, "")`;
    const node = (script: string) => project.container("coffer").exec(["/usr/local/bin/node", "-e", script]);
    assert.equal((await node(`${write("/var/lib/coffer/x")}; fs.rmSync("/var/lib/coffer/x")`)).code, 0);
    for (const path of ["/app/x", "/tmp/x", "/etc/coffer/policy/x", "/etc/coffer/root-key/x", "/run/spire/x"]) {
      assert.match((await node(write(path))).stderr, /EROFS/, path);
    }
  });

  it("no log contains the password or the root key", async () => {
    password = await passwordOfApi();
    assert.match(password, /^[\w+/]{32}\n$/);
    const rootKey = readFileSync(join(project.folder, "volumes/coffer-root-key/key"), "utf8").trim();
    const logs = project.logs();
    for (const secret of [password.trim(), rootKey]) assert.ok(!logs.includes(secret));
    assert.ok(logs.includes("the user of shop/api/db is app"), "the logs are not those of the services");
  });

  it("shut down gracefully, and coffer exits with 0 within its grace period", async (t) => {
    const { stopGraceMs } = project.service("coffer");
    const { code, tookMs } = (await project.down()).get("coffer")!;
    t.diagnostic(`coffer took ${tookMs.toFixed(0)} ms`);
    assert.equal(code, 0);
    assert.ok(tookMs < stopGraceMs);
  });

  it("start again on the same volumes, with the secret", async () => {
    await project.up();
    assert.match(project.container("api").log, /shop\/api\/db[\s\S]*^the user of shop\/api\/db is app$/m);
    assert.doesNotMatch(project.container("api").log, /revision/, "the second start wrote the secret again");
    assert.equal(await passwordOfApi(), password);
    // The agent did not use its join token again.
    assert.doesNotMatch(project.container("spire-server").log, /attestation request completed/);
  });

  it("an invalid command, or one that writes where it may not, fails", async () => {
    for (const [script, works] of [
      ["true", true],
      ["nonesuch", false],
      ["echo > /dev/shm/x", true],
      ["echo > /x", false],
    ] as const) {
      assert.equal((await project.run("api", script)).code === 0, works, script);
    }
  });

  async function passwordOfApi(): Promise<string> {
    const { code, log } = await project.run("api", "node dist/src/main.js get shop/api/db password");
    assert.equal(code, 0, log);
    return log;
  }
});
