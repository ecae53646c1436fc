/**
 * Who listens to a node's events, and when they are told: at the end of the turn, so that they may write,
 * read and close. What a listener throws, or rejects with, is logged and told as an `error` event, and the node goes on.
 *
 * Owns: listeners, what is to be told, when a replica has come to be synced. Does not own: which events
 * there are (events.ts), when a turn ends (turn.ts).
 * Tested in: test/unit/embed/events.test.ts.
 */
import type { Fields, Level } from "../primary/journal.ts";
import type { Position } from "../wire/messages.ts";
import type { SessionStateName } from "./api.ts";
import {
  emitLine,
  type Emit,
  type NodeEventName,
  type NodeEvents,
  type NodeListener,
} from "./events.ts";
import type { Logger } from "./logger.ts";

/** The node whose events these are. */
export interface EmittingNode {
  readonly isSynced: boolean;
  readonly position: Position;
  readonly session: {
    readonly state: { readonly kind: SessionStateName };
    readonly lastError: string;
  };
  readonly turn: {
    /** Calls `done` at the end of the first turn at which `holds()`. @returns a cancel */
    until(holds: () => boolean, done: () => void): () => void;
  };
}

export class NodeEmitter {
  /** What is told, in the words of whoever listens. */
  words: <T>(happened: T) => T = (happened) => happened;
  readonly #node: EmittingNode;
  readonly #log: Pick<Logger, "error">;
  readonly #listeners: { [Name in NodeEventName]?: Set<NodeListener<Name>> } = {};
  /** What is to be told at the end of the turn. */
  #untold: (() => void)[] = [];
  #state: SessionStateName = "stopped";
  #cancelSynced: () => void = () => undefined;

  constructor(node: EmittingNode, log: Pick<Logger, "error">) {
    this.#node = node;
    this.#log = log;
  }

  /** Calls `listener` whenever it happens, from now on. */
  on<Name extends NodeEventName>(name: Name, listener: NodeListener<Name>): void {
    const before: Set<NodeListener<Name>> | undefined = this.#listeners[name];
    const listeners = before ?? new Set<NodeListener<Name>>();
    (this.#listeners as Record<Name, Set<NodeListener<Name>>>)[name] = listeners;
    listeners.add(listener);
    // One that has everything when its first listener comes does not come to have it.
    if (name === "synced" && !this.#node.isSynced) this.#awaitSynced();
  }

  off<Name extends NodeEventName>(name: Name, listener: NodeListener<Name>): void {
    this.#listeners[name]?.delete(listener);
  }

  // --- what happens ------------------------------------------------------------------------------

  /** A journal line: what it is as an event is told. */
  line(level: Level, event: string, fields: Fields): void {
    emitLine(this.#emit, level, event, fields);
  }

  /** The session is in another state. */
  sessionMoved(): void {
    const { state, lastError: why } = this.#node.session;
    if (state.kind === this.#state) return;
    this.#state = state.kind;
    this.#emit("state", { state: state.kind, why });
    this.#awaitSynced();
  }

  /** Tells once when a connection that streams has everything. */
  #awaitSynced(): void {
    this.#cancelSynced();
    if (this.#state !== "streaming" || !this.#isHeard("synced")) return;
    const node = this.#node;
    this.#cancelSynced = node.turn.until(
      () => node.isSynced,
      () => this.#emit("synced", { position: node.position }),
    );
  }

  // --- telling ----------------------------------------------------------------------------------

  #isHeard(name: NodeEventName): boolean {
    return (this.#listeners[name]?.size ?? 0) > 0;
  }

  readonly #emit: Emit = (name, happened) => {
    if (!this.#isHeard(name)) return;
    const said = this.words(happened);
    this.#untold.push(() => this.#tell(name, said));
    if (this.#untold.length === 1) this.#node.turn.until(() => true, this.#tellAll);
  };

  readonly #tellAll = (): void => {
    const untold = this.#untold;
    this.#untold = [];
    for (const tell of untold) tell();
  };

  #tell<Name extends NodeEventName>(name: Name, happened: NodeEvents[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])])
      try {
        const told = listener(happened);
        // Why: a rejection that nobody hears of ends the process.
        if (told instanceof Promise) told.catch((error: unknown) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
  }

  /** What a listener of `error` throws is only logged. */
  #failed(name: NodeEventName, error: unknown): void {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error("listener_failed", { name, why });
    if (name !== "error") this.#emit("error", { what: `listener of ${name}`, why });
  }
}
