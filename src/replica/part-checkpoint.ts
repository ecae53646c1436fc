/**
 * The checkpoint of a part file: JSON, read back with every field checked, since a disk is a peer
 * too. Pure.
 */
import {
  idOf,
  type Json,
  numberOf,
  objectOf,
  lineageOf,
  positionOf,
  rankOf,
  syncStateOf,
  textOf,
  u32Of,
  versionedOf,
} from "../wire/json-fields.ts";
import { NO_SYNC, type SnapshotBegin } from "../wire/messages.ts";

export interface Checkpoint {
  readonly begin: SnapshotBegin;
  /** Whole chunks in the part file. */
  readonly chunks: number;
  readonly fileBytes: number;
}

export const PART_VERSION = 2;

/** Reads a checkpoint. @throws {Error} naming the field that is wrong */
export function readCheckpoint(text: string): Checkpoint {
  const root = versionedOf(JSON.parse(text), "checkpoint", PART_VERSION);
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
    rank: rankOf(begin["rank"], "rank"),
    lineage: lineageOf(begin["lineage"]),
    sync: syncStateOf(begin["sync"] ?? NO_SYNC, "sync"),
    format: {
      name: textOf(format["name"], "format.name"),
      version: u32Of(format["version"], "format.version"),
    },
    firstChunk: u32Of(begin["firstChunk"], "firstChunk"),
    records: numberOf(begin["records"], "records", Number.MAX_SAFE_INTEGER),
    bytes: numberOf(begin["bytes"], "bytes", Number.MAX_SAFE_INTEGER),
  };
}
