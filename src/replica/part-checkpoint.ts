/**
 * The checkpoint of a part file: JSON, read back with every field checked, since a disk is a peer
 * too. Pure.
 */
import { LIMITS } from "../limits.ts";
import {
  idOf,
  type Json,
  numberOf,
  objectOf,
  positionOf,
  textOf,
  u32Of,
  versionedOf,
} from "../wire/json-fields.ts";
import type { LineageEntry, SnapshotBegin } from "../wire/messages.ts";

export interface Checkpoint {
  readonly begin: SnapshotBegin;
  /** Whole chunks in the part file. */
  readonly chunks: number;
  readonly fileBytes: number;
}

const VERSION = 1;

/** Reads a checkpoint. @throws {Error} naming the field that is wrong */
export function readCheckpoint(text: string): Checkpoint {
  const root = versionedOf(JSON.parse(text), "checkpoint", VERSION);
  return {
    begin: readBegin(objectOf(root["begin"], "begin")),
    chunks: u32Of(root["chunks"], "chunks"),
    fileBytes: numberOf(root["fileBytes"], "fileBytes", Number.MAX_SAFE_INTEGER),
  };
}

function readBegin(begin: Json): SnapshotBegin {
  const format = objectOf(begin["format"], "format");
  return {
    type: "snapshot",
    snapshotId: idOf(begin["snapshotId"], "snapshotId"),
    position: positionOf(begin["position"], Number.MAX_SAFE_INTEGER),
    lineage: readLineage(begin["lineage"]),
    format: {
      name: textOf(format["name"], "format.name"),
      version: u32Of(format["version"], "format.version"),
    },
    firstChunk: u32Of(begin["firstChunk"], "firstChunk"),
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
