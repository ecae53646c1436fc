/**
 * Damage to a copy of a data directory, drawn from a seed: one file is cut, flipped, zeroed, overwritten,
 * made longer or removed.
 *
 * Owns: what is damaged and how. Does not own: what must come of it (points.ts).
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../tools/random.ts";

const KINDS = ["cut", "cut", "flip", "flip", "zero", "zero end", "overwrite", "longer", "remove"];
/** A log is what a crash tears: most of the damage is there. */
const LOG_SHARE = 0.6;
const SECTOR_BYTES = 512;
/** Of a running process, or copies: nothing depends on them. */
const OTHERS = /^(lock|reserve)$|^quarantine\//;

/** @returns what was done, for a failure text */
export function damage(dir: string, random: Random): string {
  const all = filesOf(dir);
  const logs = all.filter((name) => name.endsWith(".log"));
  const isLog = logs.length > 0 && random.fraction() < LOG_SHARE;
  const name = random.pick(isLog ? logs : all);
  const kind = random.pick(KINDS);
  const path = join(dir, name);
  if (kind === "remove") {
    rmSync(path);
    return `remove ${name}`;
  }
  const bytes = readFileSync(path);
  const { at, bytes: damaged } = changed(bytes, kind, random);
  writeFileSync(path, damaged);
  return `${kind} at ${at} of ${bytes.length} bytes of ${name}`;
}

function filesOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(dir, name)).isFile() && !OTHERS.test(name))
    .sort();
}

function changed(bytes: Buffer, kind: string, random: Random): { at: number; bytes: Buffer } {
  const at = random.between(0, Math.max(1, endOf(bytes, random)));
  const to = Math.min(bytes.length, at + random.pick([1, 40, SECTOR_BYTES, 5_000]));
  if (kind === "cut") return { at, bytes: bytes.subarray(0, at) };
  if (kind === "longer")
    return { at: bytes.length, bytes: Buffer.concat([bytes, random.bytes(to - at + 1)]) };
  if (bytes.length === 0) return { at, bytes };
  if (kind === "flip") bytes[at]! ^= 1 << random.between(0, 8);
  else if (kind === "overwrite") random.bytes(to - at).copy(bytes, at);
  else bytes.fill(0, at, kind === "zero" ? to : bytes.length);
  return { at, bytes };
}

/** Where the zeros that were written ahead begin, mostly: behind that there is nothing to damage. */
function endOf(bytes: Buffer, random: Random): number {
  if (random.fraction() < 0.1) return bytes.length;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}
