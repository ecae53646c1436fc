/**
 * node.json in a node's --dir, read and changed: whole, checked and synced each time, since changes are
 * rare. A directory of an older version has its files taken over, once:
 *
 *   replica-id -> storeId     role.json -> role     then node.json is written, then these are removed
 *
 * Owns: the file. Does not own: its text (node-memory.ts), how a file is written (log/disk/small-files.ts).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isId } from "../wire/id.ts";
import { bootId as presentBootId } from "./disk/directory-lock.ts";
import { removeSmallFile, writeSmallFile } from "../log/disk/small-files.ts";
import { wordsOf } from "../errors.ts";
import { readSmall } from "./directory.ts";
import { FsFolder } from "./disk/fs-folder.ts";
import {
  decodeNode,
  encodeNode,
  newNode,
  NODE_FILE,
  type NodeKeeper,
  type NodeMemory,
  type NodeStart,
} from "./node-memory.ts";
import { UsageError } from "./option-values.ts";
import { decodeRole } from "./role-memory.ts";

const OLD_ID_FILE = "replica-id";
const OLD_ROLE_FILE = "role.json";

/** More than a full list of peers with the longest names. */
const FILE_BYTES_MAX = 65_536;

/**
 * What `dir` has of a node, null for nothing.
 * @throws {UsageError} naming the file, when it is damaged or cannot be read
 */
export function readNode(dir: string): NodeMemory | null {
  const text = readSmall(dir, NODE_FILE, FILE_BYTES_MAX);
  if (text === null) return readOlder(dir);
  try {
    return decodeNode(text);
  } catch (error) {
    throw new UsageError(
      `--dir: ${join(dir, NODE_FILE)} is damaged: ${wordsOf(error)}; put a copy of it back, or remove it: ` +
        "this node then starts in the role that the flags name, as a store that nobody knows",
    );
  }
}

/** Writes what `change` makes of it, synced. @throws the error of reading or writing, with nothing changed */
export function changeNode(dir: string, change: Partial<NodeMemory>): NodeMemory {
  const memory = { ...(readNode(dir) ?? newNode()), ...change };
  const text = encodeNode(memory);
  // Why: what the next start cannot read must not be written.
  decodeNode(text);
  const folder = new FsFolder(dir);
  writeSmallFile(folder, NODE_FILE, text);
  for (const name of [OLD_ID_FILE, OLD_ROLE_FILE])
    if (existsSync(join(dir, name))) removeSmallFile(folder, name);
  return memory;
}

/** The node.json of `dir`. */
export function keeperIn(dir: string): NodeKeeper {
  return {
    start: () => startNode(dir),
    change: (change) => void changeNode(dir, change),
  };
}

/**
 * A process starts with `dir`: the next incarnation, on the disk before anybody hears of it. It may die at
 * any time from here on, so the file says `complete` no more.
 * @returns what it is from here on, whether the machine was started since, whether it was complete
 * @throws {UsageError} naming the file
 */
export function startNode(dir: string): NodeStart {
  const before = readNode(dir) ?? newNode();
  const bootId = presentBootId();
  try {
    const incarnation = before.incarnation + 1;
    const { storeId, role, complete: wasComplete } = before;
    const memory = changeNode(dir, { storeId, role, incarnation, bootId, complete: false });
    const rebooted = before.bootId !== "" && bootId !== before.bootId;
    return { memory, rebooted, wasComplete };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--dir: ${join(dir, NODE_FILE)} cannot be written (${wordsOf(error)})`);
  }
}

function readOlder(dir: string): NodeMemory | null {
  const id = readSmall(dir, OLD_ID_FILE);
  const role = readSmall(dir, OLD_ROLE_FILE);
  if (id === null && role === null) return null;
  const memory = id === null ? newNode() : newNode(idIn(join(dir, OLD_ID_FILE), id.trim()));
  if (role === null) return memory;
  try {
    return { ...memory, role: decodeRole(role) };
  } catch (error) {
    throw new UsageError(
      `--dir: ${join(dir, OLD_ROLE_FILE)} is damaged: ${wordsOf(error)}; remove it to start in the role that the flags name`,
    );
  }
}

function idIn(path: string, kept: string): string {
  if (isId(kept)) return kept;
  const found = kept === "" ? "nothing" : JSON.stringify(kept.slice(0, 50));
  throw new UsageError(
    `--dir: ${path} holds ${found}, expected 32 hex digits; remove it, and this replica gets a new id`,
  );
}
