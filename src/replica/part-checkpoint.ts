/**
 * The checkpoint of a part file: JSON, read back with every field checked, since a disk is a peer
 * too. Pure.
 */
import { LIMITS } from "../limits.ts";
import { isId } from "../wire/id.ts";
import type { LineageEntry, SnapshotBegin } from "../wire/messages.ts";

export interface Checkpoint {
  readonly begin: SnapshotBegin;
  /** Whole chunks in the part file. */
  readonly chunks: number;
  readonly fileBytes: number;
}

const VERSION = 1;
const U32_MAX = 0xffff_ffff;

type Json = Readonly<Record<string, unknown>>;

/** Reads a checkpoint. @throws {Error} naming the field that is wrong */
export function readCheckpoint(text: string): Checkpoint {
  const root = objectOf(JSON.parse(text), "checkpoint");
  if (root["version"] !== VERSION) throw new Error(`version ${String(root["version"])}`);
  return {
    begin: readBegin(objectOf(root["begin"], "begin")),
    chunks: numberOf(root["chunks"], "chunks", U32_MAX),
    fileBytes: numberOf(root["fileBytes"], "fileBytes", Number.MAX_SAFE_INTEGER),
  };
}

function readBegin(begin: Json): SnapshotBegin {
  const position = objectOf(begin["position"], "position");
  const format = objectOf(begin["format"], "format");
  return {
    type: "snapshot",
    snapshotId: idOf(begin["snapshotId"], "snapshotId"),
    position: {
      history: idOf(position["history"], "history"),
      offset: numberOf(position["offset"], "offset", Number.MAX_SAFE_INTEGER),
      chain: numberOf(position["chain"], "chain", U32_MAX),
    },
    lineage: readLineage(begin["lineage"]),
    format: {
      name: textOf(format["name"], "format.name"),
      version: numberOf(format["version"], "format.version", U32_MAX),
    },
    firstChunk: numberOf(begin["firstChunk"], "firstChunk", U32_MAX),
    records: numberOf(begin["records"], "records", Number.MAX_SAFE_INTEGER),
    bytes: numberOf(begin["bytes"], "bytes", Number.MAX_SAFE_INTEGER),
  };
}

function readLineage(value: unknown): readonly LineageEntry[] {
  if (!Array.isArray(value) || value.length > LIMITS.lineageEntriesMax)
    throw new Error("lineage is not a list of at most 64");
  return value.map((each: unknown) => {
    const entry = objectOf(each, "lineage");
    return {
      history: idOf(entry["history"], "lineage.history"),
      left: numberOf(entry["left"], "lineage.left", Number.MAX_SAFE_INTEGER),
    };
  });
}

function objectOf(value: unknown, name: string): Json {
  if (typeof value !== "object" || value === null) throw new Error(`${name} is not an object`);
  return value as Json;
}

function numberOf(value: unknown, name: string, most: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most)
    return value;
  throw new Error(`${name} is not a whole number from 0 to ${most}`);
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string" && value.length <= LIMITS.textBytesMax) return value;
  throw new Error(`${name} is not a short text`);
}

function idOf(value: unknown, name: string): string {
  if (typeof value === "string" && isId(value)) return value;
  throw new Error(`${name} is not 32 hex digits`);
}
