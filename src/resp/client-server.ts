/**
 * The client port: moves bytes between sockets and clients, and bounds both ways.
 *
 * A client whose replies pile up above OUTPUT_PAUSE_BYTES executes nothing until they are gone (before
 * AUTH far earlier: client.ts). One command whose reply alone exceeds LIMITS.clientOutputBytesMax, room for
 * two of the largest values, drops it. A bad client costs one connection and one log line.
 *
 * A reply is written at once, but for two reasons to keep it: the turn is not over for what it answers
 * (node/turn.ts), or its client waits for another answer, which may come in a moment (joined-replies.ts).
 * Owns: clients and how much may wait for each. Does not own: sockets (net/), order of execution
 * (client.ts), commands, when a held reply may go (node/turn.ts).
 * Tested in: test/unit/resp/held-replies.test.ts, test/e2e/resp-limits.test.ts.
 */
import { LIMITS } from "../limits.ts";
import { Listener } from "../net/listener.ts";
import type { Socket, SocketEvents } from "../net/socket.ts";
import { Args } from "./args.ts";
import { Client, type ClientTransport } from "./client.ts";
import { newCounters, type Call, type PortContext } from "./context.ts";
import { Keyspace } from "../node/keyspace.ts";
import type { TurnReplies } from "../node/turn.ts";
import type { Logger } from "../node/logger.ts";
import type { HawserNode } from "../node/api.ts";
import type { StopSave } from "../node/checkpointer.ts";
import { HeldWrites } from "./held-writes.ts";
import { UNCONFIRMED, type Unconfirmed } from "./unconfirmed.ts";
import { JoinedReplies, type JoinedOut } from "./joined-replies.ts";
import { ReplyWriter } from "./reply-writer.ts";

/** Pausing a client that sends a long pipeline before it reads would stop both for ever: generous. */
const OUTPUT_PAUSE_BYTES = 64 * 1024 * 1024;
/** A client that is sent away may take its replies for so long. */
const END_MS = 1_000;
/** More than this is written at once, whatever the client waits for. */
const JOINED_BYTES_MAX = 1024;
/** As redis's tcp-keepalive. */
const KEEP_ALIVE_MS = 300_000;

export class ClientServer {
  readonly context: PortContext;
  /** Pointed at one client and command after the other; tests make clients of their own with it. */
  readonly call: Call;
  readonly #joined = new JoinedReplies();
  readonly #listener: Listener;
  #nextId = 1;

  constructor(node: HawserNode, log: Logger, shutdown: (save: StopSave) => void) {
    const reply = new ReplyWriter();
    const { settings } = node;
    const keys = new Keyspace(node, settings);
    this.context = {
      node,
      keys,
      reply,
      settings,
      counters: newCounters(),
      clients: new Map(),
      log,
      startedAtMs: Date.now(),
      nodeCountersReset: {},
      port: settings.port,
      busy: false,
      shutdown,
    };
    // The client is set before any command runs.
    this.call = {
      args: new Args(),
      client: undefined as unknown as Client,
      reply,
      keys,
      port: this.context,
    };
    this.#listener = new Listener({
      keepAliveMs: KEEP_ALIVE_MS,
      refusal: (open) => this.#refusal(open),
      accept: (socket, local) =>
        new ClientSocket(this.#nextId++, socket, local, this.call, this.#joined),
      onError: (message) => {
        this.context.counters.portErrors++;
        log.error("client_port_error", { message });
      },
    });
  }

  /** Resolves with the port that it listens on; rejects with the system's error. */
  async listen(port: number, host: string): Promise<number> {
    this.context.port = await this.#listener.listen({ host, port });
    return this.context.port;
  }

  /** Closes the port and all clients. */
  close(): Promise<void> {
    for (const client of this.context.clients.values()) client.destroy();
    return this.#listener.stop();
  }

  /** Ends all present connections: who comes again asks anew who leads. */
  endClients(): void {
    const clients = [...this.context.clients.values()];
    // Why later: one of them may be executing.
    setImmediate(() => {
      for (const client of clients) client.end();
    });
    setTimeout(() => {
      for (const client of clients)
        if (this.context.clients.get(client.id) === client) client.destroy();
    }, END_MS).unref();
  }

  #refusal(open: number): string | null {
    const { counters, settings } = this.context;
    counters.connections++;
    if (open < settings.maxclients) return null;
    counters.rejectedConnections++;
    return "-ERR max number of clients reached\r\n";
  }
}

/** One client and its socket. */
class ClientSocket implements SocketEvents, ClientTransport, TurnReplies, JoinedOut {
  isFull = false;
  heldReplies = 0;
  /** Bytes of those, and of what is kept about them. */
  #heldBytes = 0;
  readonly #heldWrites = new HeldWrites();
  /** Since the turn was last asked, its client was answered a read. */
  #wasShown = false;
  /** Bytes of replies that were given to write(), and that went on to the socket. */
  #given = 0;
  #sent = 0;
  /** It ends once what waits was written. */
  #ends = false;
  readonly #socket: Socket;
  readonly #port: PortContext;
  readonly #client: Client;
  readonly #joining: JoinedReplies;
  /** Replies that wait for the answer that the client waits for; null for none. */
  #joined: Buffer | null = null;
  #paused = false;

  constructor(id: number, socket: Socket, local: string, call: Call, joining: JoinedReplies) {
    this.#socket = socket;
    this.#joining = joining;
    this.#port = call.port;
    this.#client = new Client(id, call, this, socket.remote, local);
    this.#port.clients.set(id, this.#client);
    this.#port.log.debug("client_connected", { client: socket.remote, id });
  }

  onBytes(read: Buffer): void {
    this.#client.receive(read);
  }

  onDrained(): void {
    this.isFull = false;
    this.#client.drained();
  }

  onClosed(): void {
    const { id, address } = this.#client;
    this.#port.clients.delete(id);
    this.#takeJoined();
    this.#client.close();
    this.#port.log.debug("client_closed", { client: address, id });
  }

  get outputBytes(): number {
    return this.#socket.queued + this.#heldBytes + (this.#joined?.length ?? 0);
  }

  get copies(): number {
    return this.#client.copiesWith(this.heldReplies);
  }

  get shownTo(): number {
    return this.#client.shown.offsetIn(this.#port.node.identity);
  }

  takeRead(): boolean {
    const was = this.#wasShown;
    this.#wasShown = false;
    return was;
  }

  get wroteTo(): number {
    return this.#client.written.offsetIn(this.#port.node.identity);
  }

  write(bytes: Buffer, owned: boolean): boolean | "gone" {
    if (this.#socket.isGone) return "gone";
    this.#given += bytes.length;
    const joined = this.#takeJoined();
    if (joined !== null) {
      this.#pass(Buffer.concat([joined, bytes]), true);
      return true;
    }
    if (!this.#mayJoin(bytes)) return this.#pass(bytes, owned);
    this.#joined = Buffer.from(bytes);
    this.#joining.add(this);
    return true;
  }

  /** What waits for a disk, or for others, waits longer than for an answer. */
  #mayJoin(bytes: Buffer): boolean {
    if (!this.#client.isWaiting || bytes.length > JOINED_BYTES_MAX) return false;
    const { turn } = this.#port.node;
    if (this.heldReplies > 0 || turn.confirmsDurable) return false;
    return turn.confirmer?.isOn !== true && this.copies === 0;
  }

  #takeJoined(): Buffer | null {
    const joined = this.#joined;
    if (joined === null) return null;
    this.#joined = null;
    this.#joining.delete(this);
    return joined;
  }

  releaseJoined(): void {
    const joined = this.#takeJoined();
    if (joined !== null) this.#pass(joined, true);
  }

  /** To the socket, when the turn does not keep it. */
  #pass(bytes: Buffer, owned: boolean): boolean {
    if (!this.#port.node.turn.holdReply(this, bytes)) return this.writeNow(bytes, owned);
    this.#heldBytes += bytes.length;
    this.isFull ||= this.outputBytes > OUTPUT_PAUSE_BYTES;
    return true;
  }

  answersData(from: number, to: number, what: Unconfirmed): void {
    this.#heldWrites.add(this.#given + from, this.#given + to, what);
    if (what === UNCONFIRMED.read) this.#wasShown = true;
    this.#heldBytes += HeldWrites.BYTES;
  }

  writeUnconfirmed(bytes: Buffer): void {
    const { bytes: shown, writes, reads } = this.#heldWrites.unconfirmed(bytes, this.#sent);
    const { counters, reply } = this.#port;
    counters.unconfirmedWrites += writes;
    counters.unconfirmedReads += reads;
    reply.errorsTotal += writes + reads;
    this.#sent += bytes.length;
    this.#send(shown, true);
  }

  writeNow(bytes: Buffer, owned = false): boolean {
    this.#sent += bytes.length;
    return this.#send(bytes, owned);
  }

  #send(bytes: Buffer, owned: boolean): boolean {
    const socket = this.#socket;
    const wasHeldBack = this.#heldBytes > 0;
    this.#heldWrites.dropTo(this.#sent);
    if (this.heldReplies === 0) this.#heldBytes = 0;
    if (socket.isGone) return true;
    this.#port.counters.writes++;
    // Why a copy: behind others it would keep the whole buffer that it lies in, for five bytes.
    const queued = socket.queued > 0;
    socket.write(queued && !owned ? Buffer.from(bytes) : bytes);
    const waiting = socket.queued;
    this.isFull = waiting > OUTPUT_PAUSE_BYTES;
    if (waiting > LIMITS.clientOutputBytesMax) {
      this.#port.counters.outputLimitDisconnections++;
      this.#port.log.warn("client_dropped", { client: socket.remote, reason: "output_limit" });
      socket.destroy();
    }
    if (wasHeldBack && this.#heldBytes === 0) this.#released();
    // Nothing queued: the kernel has taken it all.
    return (queued && !owned) || waiting === 0;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** Nothing of it waits for a turn any more. */
  #released(): void {
    if (this.#ends) this.#socket.finish();
    // Else the socket says when it has drained.
    else if (!this.isFull && this.#socket.queued === 0) setImmediate(() => this.#client.drained());
  }

  end(): void {
    this.#socket.pause();
    this.releaseJoined();
    this.#ends = true;
    if (this.heldReplies === 0) this.#socket.finish();
  }

  drop(): void {
    this.#heldBytes = 0;
    this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
