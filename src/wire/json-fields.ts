/**
 * Fields of a JSON text that was read from a disk: a disk is a peer too, so every one is checked.
 *
 * Owns: single values, errors that name the field. Does not own: which fields a file has.
 * Tested in: test/unit/log/disk/manifest.test.ts, test/unit/replica/part-checkpoint.test.ts.
 */
import { isId } from "./id.ts";
import { LIMITS } from "../limits.ts";
import type { Id, Lineage, LineageEntry, Position, Rank, SyncRule, SyncState } from "./messages.ts";

export type Json = Readonly<Record<string, unknown>>;

const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;

/** What the text says, unchecked. @throws {Error} "it is empty", or that it is no JSON */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(text.trim() === "" ? "it is empty" : "it is no JSON");
  }
}

/** A value as an error repeats it: at most 50 characters. */
export function shownJson(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, 50);
}

/** @throws {Error} naming it */
export function objectOf(value: unknown, name: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${name} is no object`);
  return value as Json;
}

/** The outermost object of a file, of this version of its format. @throws {Error} naming what is wrong */
export function versionedOf(value: unknown, name: string, version: number): Json {
  if (typeof value !== "object" || value === null) throw new Error(`${name} is no object`);
  // A list from JSON has no version.
  const root = value as Json;
  if (root["version"] !== version) throw new Error(`version ${String(root["version"])}`);
  return root;
}

/** A whole number from 0 to `most`. @throws {Error} naming it */
export function numberOf(value: unknown, name: string, most: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most)
    return value;
  throw new Error(`${name} is no whole number from 0 to ${most}`);
}

/** @throws {Error} naming it */
export function u32Of(value: unknown, name: string): number {
  return numberOf(value, name, U32_MAX);
}

/** @throws {Error} naming it */
export function flagOf(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw new Error(`${name} is ${shownJson(value)}, expected true or false`);
}

/** A text of at most LIMITS.textBytesMax characters. @throws {Error} naming it */
export function textOf(value: unknown, name: string): string {
  if (typeof value === "string" && value.length <= LIMITS.textBytesMax) return value;
  throw new Error(`${name} is no short text`);
}

/** @throws {Error} naming it */
export function idOf(value: unknown, name: string): Id {
  if (typeof value === "string" && isId(value)) return value;
  throw new Error(`${name} is no id of 32 hex digits`);
}

/** A position whose offset is at most `offsetMax`. @throws {Error} naming the field */
export function positionOf(value: unknown, offsetMax: number): Position {
  const position = objectOf(value, "position");
  return {
    history: idOf(position["history"], "history"),
    offset: numberOf(position["offset"], "offset", offsetMax),
    chain: u32Of(position["chain"], "chain"),
  };
}

/** @throws {Error} naming the field */
export function rankOf(value: unknown, name: string): Rank {
  const { term, run } = objectOf(value, name);
  return { term: numberOf(term, `${name}.term`, LIMITS.termMax), run: u32Of(run, `${name}.run`) };
}

/** @throws {Error} naming the field */
export function lineageOf(value: unknown): Lineage {
  if (!Array.isArray(value) || value.length > LIMITS.lineageEntriesMax)
    throw new Error(`lineage is not a list of at most ${LIMITS.lineageEntriesMax}`);
  return value.map((each: unknown): LineageEntry => {
    const { history, left } = objectOf(each, "lineage");
    return {
      history: idOf(history, "lineage.history"),
      left: numberOf(left, "lineage.left", Number.MAX_SAFE_INTEGER),
      ...rankOf(each, "lineage"),
    };
  });
}

/** @throws {Error} naming the field */
export function syncStateOf(value: unknown, name: string): SyncState {
  const { now, was } = objectOf(value, name);
  return { now: syncRuleOf(now, `${name}.now`), was: syncRuleOf(was, `${name}.was`) };
}

function syncRuleOf(value: unknown, name: string): SyncRule | null {
  if (value === null) return null;
  const { copies, level, members } = objectOf(value, name);
  if (level !== "applied" && level !== "durable")
    throw new Error(`${name}.level is ${shownJson(level)}, expected applied or durable`);
  if (!Array.isArray(members) || members.length > LIMITS.nodeBatchMembersMax)
    throw new Error(`${name}.members is no list of at most ${LIMITS.nodeBatchMembersMax}`);
  return {
    copies: numberOf(copies, `${name}.copies`, U16_MAX),
    level,
    members: members.map((member: unknown) => idOf(member, `${name}.members`)),
  };
}
