/** Keys and values as an embedder gives them: strings are utf-8. */
import type { Keyspace } from "../node/keyspace.ts";

export type Bytes = string | Uint8Array;

export function toBuffer(bytes: Bytes): Buffer {
  if (typeof bytes === "string") return Buffer.from(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A copy of a key's value: the store's memory is used again by later writes. */
export function readValue(keys: Keyspace, key: Buffer): Buffer | null {
  if (!keys.read(key, 0, key.length)) return null;
  const { hitBytes, hitFrom, hitTo } = keys.store;
  return Buffer.from(hitBytes.subarray(hitFrom, hitTo));
}
