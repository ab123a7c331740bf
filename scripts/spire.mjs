// Runs the tests of a folder that need a real SPIRE: "npm run test:spire", "npm run test:compose" and "npm run
// test:examples", or "npm run test:spire -- federation" for one file. It uses the programs that SPIRE_SERVER_BIN and
// SPIRE_AGENT_BIN name; otherwise those on the PATH if they have the version in test/spire/go.mod; otherwise it builds
// them once with Go and keeps them in the user's cache folder. "--build" only finds or builds them and runs no test.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

const MODULE = "test/spire";
const VERSION = /spiffe\/spire v(\S+)/.exec(readFileSync(join(MODULE, "go.mod"), "utf8"))[1];
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "coffer", `spire-${VERSION}`);
const PROGRAMS = { SPIRE_SERVER_BIN: "spire-server", SPIRE_AGENT_BIN: "spire-agent" };

const folders = [...process.env.PATH.split(delimiter), CACHE];
const isRight = (file) => {
  if (!existsSync(file)) return false;
  const { stdout, stderr } = spawnSync(file, ["--version"], { encoding: "utf8" });
  return `${stdout}${stderr}`.startsWith(VERSION);
};

function find([variable, name]) {
  return process.env[variable] ?? folders.map((folder) => join(folder, name)).find(isRight);
}

function build() {
  console.error(`coffer: building SPIRE ${VERSION} once with Go, which takes about 8 minutes`);
  const env = { ...process.env, GOBIN: CACHE };
  const { status, error } = spawnSync("go", ["install", "tool"], { cwd: MODULE, env, stdio: "inherit" });
  if (status === 0) return;
  console.error(
    `coffer: SPIRE ${VERSION} is not installed, and Go could not build it${error ? ` (${error.code})` : ""}`,
  );
  process.exit(1);
}

if (!Object.entries(PROGRAMS).every(find)) build();
const found = Object.fromEntries(
  Object.entries(PROGRAMS).map(([variable, name]) => [variable, find([variable, name])]),
);
console.error(`coffer: ${Object.values(found).join(" and ")}`);

const given = process.argv.slice(2);
if (given.includes("--build")) process.exit(0);
const flags = given.filter((argument) => argument.startsWith("-"));
const [folder, ...files] = given.filter((argument) => !argument.startsWith("-"));
const wanted = files.length === 0 ? [`${folder}/`] : files.map((file) => `${folder}/${file}`);
const command = ["scripts/test.mjs", ...wanted, ...flags];
process.exit(spawnSync(process.execPath, command, { stdio: "inherit", env: { ...process.env, ...found } }).status ?? 1);
