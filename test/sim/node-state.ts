/**
 * The state of a simulated node, behind what its parts and the checkers need of it: the built-in store,
 * a Map that answers later, or a public one over the bridge. Which one is drawn, with a seed of its own, so that runs without a Map are what
 * they were.
 */
import { ArenaState } from "../../src/store/arena-state.ts";
import { InlineSource } from "../../src/store/inline-source.ts";
import type { Digest, DigestOptions, FrozenState, State } from "../../src/store/state.ts";
import { Store } from "../../src/store/store.ts";
import type { Random } from "../../tools/random.ts";
import { BridgedMap, type PublicHost } from "./public-map.ts";
import { MapState, type MapHost } from "./map-state.ts";
import type { MapSnapshot } from "./map-snapshot.ts";
import type { Stepped } from "./sim-source.ts";
import { liveDigest } from "./truth.ts";

export interface NodeState {
  readonly state: State;
  /** As clients' commands use it. */
  readonly store: Store;
  /** Sums the live records. */
  digest(options?: DigestOptions): Digest;
  /** One slice of housekeeping; true when there is more. */
  tidy(): boolean;
  /** It gets at most so many bytes more; Infinity for as many as it wants. */
  limit(more: number): void;
  readonly isLimited: boolean;
  readonly snapshotsOpen: number;
}

/** Of how many runs some nodes have a Map, and how many of theirs. */
const RUNS_WITH_MAPS = 0.35;
const NODES_WITH_MAPS = 0.8;

export interface StateHost
  extends Omit<MapHost, "readable">, Omit<PublicHost, "readable" | "sizes"> {
  readonly settings: {
    readonly arenaSegmentBytes: number;
    readonly indexPageEntries: number;
    readonly ringSlots: number;
    readonly slotBytes: number;
  };
  /** What a serializer of the node reads. */
  serialized(source: Stepped): FrozenState;
}

/** Whether nodes of this run may have Maps: the first draw of its own generator. */
export function drawMaps(random: Random): boolean {
  return random.fraction() < RUNS_WITH_MAPS;
}

export function makeState(host: StateHost, withMaps: boolean, isPublic = false): NodeState {
  if (isPublic) return onPublic(host);
  return withMaps && host.random.fraction() < NODES_WITH_MAPS ? onMap(host) : onArena(host);
}

function onArena(host: StateHost): NodeState {
  const { arenaSegmentBytes, indexPageEntries, ringSlots: slots, slotBytes } = host.settings;
  const store = new Store({ arenaSegmentBytes, indexPageEntries, hashSeed: [1, 2] });
  const { pool } = store.parts;
  return {
    state: new ArenaState(store, (snapshot) =>
      host.serialized(new InlineSource(snapshot, { slots, slotBytes })),
    ),
    store,
    digest: (options) => liveDigest(store, options),
    tidy: () => store.maintain(),
    limit: (more) => {
      pool.limitBytes = pool.usedBytes + more;
    },
    get isLimited() {
      return Number.isFinite(pool.limitBytes);
    },
    get snapshotsOpen() {
      return store.stats().snapshotsOpen;
    },
  };
}

function onMap(host: StateHost): NodeState {
  const { ringSlots: slots, slotBytes } = host.settings;
  const readable = (snapshot: MapSnapshot): FrozenState =>
    host.serialized(Object.assign(snapshot, { slots, slotBytes }));
  const { random } = host;
  const state = new MapState({
    random,
    readable,
    after: (ms, what) => host.after(ms, what),
    refuses: (isInside) => host.refuses(isInside),
    fails: () => host.fails(),
    mark: (what) => host.mark(what),
    breach: (what) => host.breach(what),
  });
  return {
    state,
    // Commands use of the store what MapState has of it.
    store: state as unknown as Store,
    digest: (options) => state.digest(options),
    tidy: () => false,
    limit: (more) => {
      state.limitBytes = state.memory().dataBytes + more;
    },
    get isLimited() {
      return Number.isFinite(state.limitBytes);
    },
    get snapshotsOpen() {
      return state.snapshotsOpen;
    },
  };
}

function onPublic(host: StateHost): NodeState {
  const { ringSlots: slots, slotBytes } = host.settings;
  const readable = (frozen: Stepped): FrozenState => host.serialized(frozen);
  const state = new BridgedMap({
    random: host.random,
    sizes: { slots, slotBytes },
    readable,
    after: (ms, what) => host.after(ms, what),
    run: (what) => host.run(what),
    promised: () => host.promised(),
    refuses: (isInside) => host.refuses(isInside),
    fails: () => host.fails(),
    mark: (what) => host.mark(what),
    breach: (what) => host.breach(what),
    name: () => host.name(),
    digestAt: (offset, chain) => host.digestAt(offset, chain),
  });
  const { map } = state;
  return {
    state,
    // Commands use of the store what a Map has of it.
    store: map as unknown as Store,
    digest: (options) => map.digest(options),
    tidy: () => false,
    limit: (more) => {
      map.limitBytes = map.memory().dataBytes + more;
    },
    get isLimited() {
      return Number.isFinite(map.limitBytes);
    },
    get snapshotsOpen() {
      return map.snapshotsOpen;
    },
  };
}
