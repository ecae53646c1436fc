/**
 * The text of node.json: who a node is, and what it promised, for its next start.
 *
 *   storeId      of the copy; new when there is no file
 *   clusterId    of all that follow one leader; null before it led or followed
 *   incarnation  grows by one at every start, synced before anybody hears of it
 *   bootId       of the machine at the last start: another one tells a reboot
 *   promised     the highest rank that it said it would follow
 *   led          the highest rank that it led with
 *   sync         by whom writes are confirmed (members.ts); null when nothing was kept of it
 *   complete     it was stopped, and had all that it had acknowledged then, on its disk
 *   role         what was decided at runtime (role-memory.ts); null when nothing was
 *   consent      what it may lose for what its upstream has (kept-consent.ts); null for nothing
 *   resetUsed    --allow-reset counts no more, as long as it is given at every start
 *   peers        who followed it directly, newest last, and whether the next start waits for its answer
 *   siblings     who follows the same node, of synchronous mode: asked before this one leads
 *
 * Pure: a disk is a peer too, so every field is checked. Owns: the text. Does not own: the file
 * (node-file.ts), what is done with it (identity.ts, role-memory.ts).
 */
import { NO_RANK } from "../log/history.ts";
import {
  flagOf,
  idOf,
  type Json,
  jsonOf,
  numberOf,
  objectOf,
  rankOf,
  shownJson,
  syncStateOf,
  textOf,
} from "../wire/json-fields.ts";
import { randomId } from "../wire/id.ts";
import { LIMITS } from "../limits.ts";
import type { Id, PeerAddress, Rank, SyncState } from "../wire/messages.ts";
import type { ConsentMemory } from "./consent.ts";
import { keptAddressOf } from "./kept-address.ts";
import { readRole, type RoleMemory } from "./role-memory.ts";

/** The file in --dir. */
export const NODE_FILE = "node.json";

const VERSION = 1;

/** A node that followed this one. */
export interface Peer {
  readonly storeId: Id;
  /** Of its replication port. */
  readonly host: string;
  readonly port: number;
  /** It may have log that this disk lacks: a start that asks waits for it (followers.ts). */
  readonly awaited: boolean;
}

/** A process that starts: what it is, whether the machine was started since, whether it was complete. */
export interface NodeStart {
  readonly memory: NodeMemory;
  readonly rebooted: boolean;
  readonly wasComplete: boolean;
}

/** What a node remembers, from one start to the next: node.json (node-file.ts), or the simulator's. */
export interface NodeKeeper {
  /**
   * A process starts: the next incarnation, kept before anybody hears of it.
   * @throws {UsageError} naming the file
   */
  start(): NodeStart;
  /** @throws the error of reading or writing, with nothing changed */
  change(change: Partial<NodeMemory>): void;
}

export interface NodeMemory {
  readonly storeId: Id;
  readonly clusterId: Id | null;
  readonly incarnation: number;
  /** "" unknown. */
  readonly bootId: string;
  readonly promised: Rank;
  readonly led: Rank;
  readonly sync: SyncState | null;
  readonly complete: boolean;
  readonly role: RoleMemory | null;
  readonly consent: ConsentMemory | null;
  readonly resetUsed: boolean;
  readonly peers: readonly Peer[];
  readonly siblings: readonly PeerAddress[];
}

/** A new store, which was never started. */
export function newNode(storeId: Id = randomId()): NodeMemory {
  return {
    storeId,
    clusterId: null,
    incarnation: 0,
    bootId: "",
    promised: NO_RANK,
    led: NO_RANK,
    sync: null,
    complete: false,
    role: null,
    consent: null,
    resetUsed: false,
    peers: [],
    siblings: [],
  };
}

export function encodeNode(memory: NodeMemory): string {
  return `${JSON.stringify({ version: VERSION, ...memory }, null, 1)}\n`;
}

/** @throws {Error} naming what is wrong */
export function decodeNode(text: string): NodeMemory {
  const root = objectOf(jsonOf(text), "the text");
  if (root["version"] !== VERSION)
    throw new Error(`version is ${shownJson(root["version"])}, expected ${VERSION}`);
  const { clusterId, role, consent } = root;
  return {
    storeId: idOf(root["storeId"], "storeId"),
    clusterId: clusterId === null ? null : idOf(clusterId, "clusterId"),
    // Why less: the next start adds one.
    incarnation: numberOf(root["incarnation"], "incarnation", Number.MAX_SAFE_INTEGER - 1),
    bootId: textOf(root["bootId"], "bootId"),
    promised: rankOf(root["promised"], "promised"),
    led: rankOf(root["led"], "led"),
    // Why these may be missing: what an older version wrote has none of them.
    complete: flagOf(root["complete"] ?? false, "complete"),
    sync: root["sync"] == null ? null : syncStateOf(root["sync"], "sync"),
    consent: consent == null ? null : readConsent(objectOf(consent, "consent")),
    resetUsed: flagOf(root["resetUsed"] ?? false, "resetUsed"),
    role: role === null ? null : readRole(objectOf(role, "role")),
    peers: peersOf(root["peers"]),
    siblings: peersOf(root["siblings"] ?? []).map(({ storeId, host, port }) => ({
      storeId,
      host,
      port,
    })),
  };
}

function readConsent({ kind, nodeId, upstream }: Json): ConsentMemory {
  if (kind !== "replicaof" && kind !== "reset")
    throw new Error(`consent.kind is ${shownJson(kind)}, expected replicaof or reset`);
  return {
    kind,
    nodeId: nodeId === "" ? nodeId : idOf(nodeId, "consent.nodeId"),
    upstream: keptAddressOf(upstream, "consent.upstream"),
  };
}

function peersOf(value: unknown): readonly Peer[] {
  if (!Array.isArray(value) || value.length > LIMITS.rememberedPeersMax)
    throw new Error(`peers is no list of at most ${LIMITS.rememberedPeersMax}`);
  return value.map((each: unknown) => peerOf(objectOf(each, "peers")));
}

function peerOf(peer: Json): Peer {
  return {
    storeId: idOf(peer["storeId"], "peers.storeId"),
    host: textOf(peer["host"], "peers.host"),
    port: numberOf(peer["port"], "peers.port", 0xffff),
    // Why it may be missing: an older version waits for all.
    awaited: flagOf(peer["awaited"] ?? true, "peers.awaited"),
  };
}
