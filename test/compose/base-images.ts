import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
  lstatSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { findSpire } from "../support/programs.ts";
import type { Bind } from "./confinement.ts";
import type { Image } from "./image.ts";
import { copyTo, librariesOf, place } from "./shared-libraries.ts";

/**
 * Stands in for an image that a Dockerfile or the compose file takes from a registry. It is made from this machine's
 * files.
 */
export interface BaseImage extends Image {
  /** What RUN instructions see in addition to the image: this machine's system instead of Debian's. */
  readonly system: readonly Bind[];
}

/** The busybox programs that the compose file uses. This machine's programs stand in for them. */
const APPLETS = ["sh", "cp", "mv", "head", "base64"];

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const CACHE = resolve("node_modules/.cache/coffer-nodes");

/**
 * Creates the image of this name in an empty folder. A digest after the tag is ignored. Throws if there is no stand-in.
 */
export function standIn(name: string, folder: string): BaseImage {
  const [tagged] = name.split("@", 1);
  const [, make] = STAND_INS.find(([pattern]) => pattern.test(tagged!)) ?? [];
  if (make === undefined) throw new Error(`no stand-in for the image ${name}`);
  for (const place of ["proc", "dev", "etc", "tmp", ".engine"]) mkdirSync(join(folder, place), { recursive: true });
  chmodSync(join(folder, "tmp"), 0o1777);
  const config = { env: { PATH }, user: "0:0", workdir: "/", entrypoint: [], command: [] };
  return { folder, healthcheck: undefined, system: [], ...config, ...make(folder, name) };
}

type Make = (folder: string, name: string) => Partial<BaseImage>;

const STAND_INS: readonly (readonly [RegExp, Make])[] = [
  [/^node:\d+\.\d+\.\d+-trixie$/, node],
  [/^gcr\.io\/distroless\/cc-debian13:(debug-)?nonroot$/, distroless],
  [/^ghcr\.io\/spiffe\/spire-(server|agent):1\.13\.3$/, spire],
  [/^busybox:1\.37\.0-musl$/, busybox],
];

/** The image has the libraries of the C++ runtime, for Node, and a shell only in "debug". */
function distroless(folder: string, name: string): Partial<BaseImage> {
  copyTo(folder, librariesOf(process.execPath));
  for (const place of ["home/nonroot", "usr/local/bin", "var/lib", "run"]) {
    mkdirSync(join(folder, place), { recursive: true });
  }
  chownSync(join(folder, "home/nonroot"), 65532, 65532);
  writeFileSync(
    join(folder, "etc/passwd"),
    "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n",
  );
  const isDebug = name.includes("debug");
  if (isDebug) placeApplets(folder, "busybox");
  return { user: "65532:65532", workdir: "/home/nonroot", env: { PATH: isDebug ? `${PATH}:/busybox` : PATH } };
}

/**
 * An image like that of SPIRE's own Dockerfile, from scratch. It also has this machine's C library, which Go programs
 * that were built on this machine need.
 */
function spire(folder: string, name: string): Partial<BaseImage> {
  const role = name.includes("spire-server") ? "server" : "agent";
  const program = findSpire()![role];
  const version = execFileSync("sh", ["-c", '"$0" --version 2>&1', program], { encoding: "utf8" });
  if (!version.startsWith("1.13.3")) throw new Error(`${program} is not version 1.13.3, as in ${name}: ${version}`);
  const inside = `/opt/spire/bin/spire-${role}`;
  place(program, join(folder, inside));
  copyTo(folder, [program, ...APPLETS.map(programOf)].flatMap(librariesOf));
  const uid = role === "server" ? 1000 : 0;
  const socket = role === "server" ? "private" : "public";
  for (const place of [`etc/spire/${role}`, `tmp/spire-${role}/${socket}`, `var/lib/spire/${role}`]) {
    mkdirSync(join(folder, place), { recursive: true, mode: 0o755 });
    chownSync(join(folder, place), uid, uid);
  }
  return { user: `${uid}:${uid}`, workdir: "/opt/spire", entrypoint: [inside, "run"] };
}

function busybox(folder: string): Partial<BaseImage> {
  placeApplets(folder, "bin");
  return {};
}

function placeApplets(root: string, folder: string): void {
  for (const name of APPLETS) place(programOf(name), join(root, folder, name));
  copyTo(root, APPLETS.map(programOf).flatMap(librariesOf));
}

function programOf(name: string): string {
  return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
}

/** Node of that release, with this machine's npm, in /usr/local. Compiler, make and Python are this machine's. */
function node(folder: string, name: string): Partial<BaseImage> {
  const [, release] = /^node:([\d.]+)/.exec(name)!;
  const prefix = nodePrefix(release!);
  const local = join(folder, "usr/local");
  place(join(prefix, "bin/node"), join(local, "bin/node"));
  for (const part of ["include/node", "LICENSE"]) {
    if (existsSync(join(prefix, part))) cpSync(join(prefix, part), join(local, part), { recursive: true });
  }
  const npm = execFileSync("npm", ["root", "-g"], { encoding: "utf8" }).trim();
  cpSync(join(npm, "npm"), join(local, "lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  for (const name of ["npm", "npx"])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, `bin/${name}`));
  return { system: systemOf(folder) };
}

/** The folder with bin/node of a release, from the npm registry, which has packages with Node's binaries. */
function nodePrefix(release: string): string {
  const program = `node-${process.platform}-${process.arch}`;
  const folder = join(CACHE, release, "node_modules", program);
  if (!existsSync(join(folder, "bin/node"))) {
    const quiet = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    const into = ["--prefix", join(CACHE, release), `${program}@${release}`];
    execFileSync("npm", ["install", ...quiet, ...into], { stdio: ["ignore", "ignore", "inherit"] });
  }
  return folder;
}

/** This machine's system, with the image's own /usr/local and the same links as here, such as /lib. */
function systemOf(folder: string): Bind[] {
  const links = ["bin", "sbin", "lib", "lib64"];
  for (const name of links.filter((name) => existsSync(`/${name}`))) {
    if (!lstatSync(`/${name}`).isSymbolicLink()) throw new Error(`/${name} is not in /usr on this machine`);
    symlinkSync(readlinkSync(`/${name}`), join(folder, name));
  }
  const cache = execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim();
  for (const path of [cache, join(folder, "root/.npm")]) mkdirSync(path, { recursive: true });
  return [
    { from: "/usr", to: "/usr", isReadOnly: true },
    { from: join(folder, "usr/local"), to: "/usr/local", isReadOnly: true },
    { from: "/etc", to: "/etc", isReadOnly: true },
    { from: cache, to: "/root/.npm", isReadOnly: false },
  ];
}
