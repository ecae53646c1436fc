/**
 * The manifest: which files of a data directory count. JSON, and a line with its crc32.
 *
 *   {"version":1,"generation":3,...}
 *   9ae0daaf
 *
 * It is small and written whole (a file aside, sync, rename, sync of the folder), so that a crash
 * leaves the old one or the new one. What it does not name is not there: files of another generation,
 * log files before `firstLog`, checkpoints that it does not list are removed at the next start.
 *
 *   a move                    the manifest is written
 *   a new log file            when it is synced and renamed, before its first byte counts as written
 *   a new checkpoint          when its file is synced and renamed, and the log is durable up to it
 *   old log files go          before the first of them is removed, with the checkpoints that need them
 *   a new generation          when its checkpoint and its first log file are synced; until then the
 *                             old generation is the one that a restart finds, whole
 *   a cut below the proof     before the cut, which destroys what proves that something is missing: how
 *                             far it was, never less than was written down before, and without the
 *                             checkpoints above the cut, which are of a log that goes on no more
 *   that gap is closed        when the log is durable beyond it
 *
 * Pure. Owns: the text. Does not own: when, and the file (data-directory).
 */
import assert from "node:assert/strict";
import { LIMITS } from "../../limits.ts";
import { crc32 } from "../../wire/crc.ts";
import {
  idOf,
  numberOf,
  objectOf,
  positionOf,
  u32Of,
  versionedOf,
} from "../../wire/json-fields.ts";
import type { Id, Position } from "../../wire/messages.ts";

const VERSION = 1;
/** A generation keeps two: when the newer one is damaged, the older one and a longer log are used. */
export const CHECKPOINTS_MAX = 2;

/** An offset; "unknown" when nobody knows how far it was. */
export type Missing = number | "unknown";

export interface CheckpointEntry {
  readonly position: Position;
  /** Number of the log file that begins at its position. */
  readonly log: number;
  readonly records: number;
  /** Of its file. */
  readonly bytes: number;
  /** Wall clock when it was complete, ms. */
  readonly clockMs: number;
}

export interface Manifest {
  readonly directoryId: Id;
  readonly generation: number;
  /** Number of the oldest log file that counts. */
  readonly firstLog: number;
  /** Number of the newest log file: that it is missing would show nowhere else. */
  readonly lastLog: number;
  /** Newest first. Every one of them proves that the log was synced up to its position. */
  readonly checkpoints: readonly CheckpointEntry[];
  /**
   * Offset up to which the log was proven and is no more: this node confirms and leads nothing before
   * it has that again. Null when nothing is missing, "unknown" when nobody knows how far.
   */
  readonly incompleteTo: Missing | null;
}

/** The text of a manifest. A number that it cannot keep is an AssertionError. */
export function encodeManifest(manifest: Manifest): string {
  const { incompleteTo } = manifest;
  assert(typeof incompleteTo !== "number" || Number.isSafeInteger(incompleteTo));
  const line = `${JSON.stringify({ version: VERSION, ...manifest })}\n`;
  return `${line}${sumOf(line)}\n`;
}

/** Reads one, every field checked. @throws {Error} naming what is wrong */
export function decodeManifest(text: string): Manifest {
  const end = text.indexOf("\n") + 1;
  const line = text.slice(0, end);
  if (end === 0 || text.slice(end) !== `${sumOf(line)}\n`) throw new Error("its crc32 is wrong");
  const root = versionedOf(JSON.parse(line), "the manifest", VERSION);
  return {
    directoryId: idOf(root["directoryId"], "directoryId"),
    generation: u32Of(root["generation"], "generation"),
    firstLog: u32Of(root["firstLog"], "firstLog"),
    lastLog: u32Of(root["lastLog"], "lastLog"),
    checkpoints: checkpointsOf(root["checkpoints"]),
    incompleteTo: incompleteOf(root["incompleteTo"]),
  };
}

function sumOf(line: string): string {
  const bytes = Buffer.from(line, "utf8");
  return crc32(bytes, 0, bytes.length, 0).toString(16).padStart(8, "0");
}

function checkpointsOf(value: unknown): readonly CheckpointEntry[] {
  if (!Array.isArray(value) || value.length > CHECKPOINTS_MAX)
    throw new Error(`checkpoints is no list of at most ${CHECKPOINTS_MAX}`);
  return value.map((each: unknown) => {
    const entry = objectOf(each, "a checkpoint");
    return {
      position: positionOf(entry["position"], LIMITS.offsetMax),
      log: u32Of(entry["log"], "log"),
      records: numberOf(entry["records"], "records", Number.MAX_SAFE_INTEGER),
      bytes: numberOf(entry["bytes"], "bytes", Number.MAX_SAFE_INTEGER),
      clockMs: numberOf(entry["clockMs"], "clockMs", LIMITS.timeMsMax),
    };
  });
}

function incompleteOf(value: unknown): Missing | null {
  if (value === null || value === "unknown") return value;
  return numberOf(value, "incompleteTo", Number.MAX_SAFE_INTEGER);
}
