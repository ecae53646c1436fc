/**
 * One client connection without its socket: bytes in, commands executed in order, replies out.
 *
 *   receive(read) -> parser -> dispatch, one by one -> replies of the whole read in one write
 *
 * A client stops between two commands when it is blocked (WAIT, REPL.DIGEST), when its output is
 * full, or when writers are slowed or held and its next command writes, or reads just before this node resigns; what
 * was read stays parsed, later reads wait in line.
 * Owns: order, blocking, the state a connection has. Does not own: sockets (client-server.ts).
 */
import { newWriterTurn, type WriterTurn } from "../primary/pace.ts";
import { Args } from "./args.ts";
import { FLAG, type Command } from "./commands/command.ts";
import { findCommand } from "./commands/table.ts";
import type { CommandQueue } from "./command-queue.ts";
import type { Call, Connection, PortContext } from "./context.ts";
import { dispatch } from "./dispatch.ts";
import { answer, waitsForOthers } from "./execute.ts";
import type { Unconfirmed } from "./unconfirmed.ts";
import type { ReplySink, ReplyWriter } from "./reply-writer.ts";
import { PARSE_COMMANDS_MAX, RespParser } from "./parser.ts";
import { WriteMark } from "../log/write-mark.ts";
import type { Watcher, WatchTable } from "../node/watch.ts";

/** What a client does with its socket. */
export interface ClientTransport {
  /**
   * True when the socket took everything and needs the bytes no longer, "gone" when it is closed.
   * `owned`: it may keep them as they are.
   */
  write(bytes: Buffer, owned: boolean): boolean | "gone";
  /** Bytes written and not taken yet. */
  readonly outputBytes: number;
  /** So much of it that no more commands should run; the client's drained() is called afterwards. */
  readonly isFull: boolean;
  /** Stop and go on reading; calls need not be paired. */
  pause(): void;
  resume(): void;
  /** Of what write() is given next, `[from, to)` answers a write, or a read that others have to confirm. */
  answersData(from: number, to: number, what: Unconfirmed): void;
  /** Close once what was written has gone out. */
  end(): void;
  /** Drop the connection. */
  destroy(): void;
}

/**
 * Keys below which store.touch() costs more (hashing twice, 50 ns) than the waits for memory that it
 * hides: measured even at about 400 thousand, 40 ns cheaper at a million.
 */
const TOUCH_KEYS_MIN = 400_000;

/**
 * Before AUTH: replies that may wait to be read; then no more commands run. No less than from where a
 * socket says that it has drained (its highWaterMark).
 */
const STRANGER_OUTPUT_BYTES = 64 * 1024;
/** So long costly commands of one pipeline run one after another. Others wait as long, and one command more. */
const RUN_MS = 5;
/** More arguments make any command a costly one. */
const CHEAP_ARGUMENTS_MAX = 64;
/** What one read of a socket brings. */
const READ_BYTES = 64 * 1024;

/** Scratch shared by all clients: nothing in it outlives one synchronous run. */
const entries: (Command | undefined)[] = new Array<Command | undefined>(PARSE_COMMANDS_MAX);
const touchFrom = new Uint32Array(PARSE_COMMANDS_MAX);
const touchTo = new Uint32Array(PARSE_COMMANDS_MAX);

export class Client implements Connection {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: number;
  lastActiveMs: number;
  name = "";
  libName = "";
  libVersion = "";
  protocol: 2 | 3 = 2;
  authenticated: boolean;
  noEvict = false;
  noTouch = false;
  lastCommand = "NULL";
  /** Commands of an open MULTI. */
  queue: CommandQueue<Command> | null = null;
  readonly watcher: Watcher = {
    keys: new Map(),
    bytes: 0,
    touched: false,
    generation: 0,
  };
  /** After this client's last write: what WAIT waits for. */
  readonly written: WriteMark = new WriteMark();
  readonly shown: WriteMark = new WriteMark();
  copies = 0;
  #copiesHeld = 0;
  closed = false;
  /** Inside EXEC: nothing may block. */
  executing = false;
  promotion: string | null | undefined = undefined;

  readonly #port: PortContext;
  readonly #call: Call;
  readonly #transport: ClientTransport;
  readonly #parser = new RespParser();
  readonly #args = new Args();
  readonly #turn: WriterTurn = newWriterTurn();
  readonly #sink: ReplySink = (bytes, owned) => this.#transport.write(bytes, owned);
  /** Next of the parser's whole commands. */
  #next = 0;
  /** Cancels what the client waits for; null when it runs. */
  #blocked: (() => void) | null = null;
  /** Blocked until somebody else answers its command. */
  #isWaiting = false;
  /** Blocked until the socket took what was written. */
  #draining = false;
  #closing = false;
  /** From then on a costly command ends this run. */
  #untilMs = 0;
  /** Of the command that is still arriving, as counted in the keyspace's inputBytes. */
  #countedInput = 0;
  /** Reads that arrived while blocked. */
  #waiting: Buffer[] = [];

  constructor(
    id: number,
    call: Call,
    transport: ClientTransport,
    address: string,
    localAddress: string,
  ) {
    this.id = id;
    this.#port = call.port;
    this.#call = call;
    this.#transport = transport;
    this.address = address;
    this.localAddress = localAddress;
    this.createdAtMs = Date.now();
    this.lastActiveMs = this.createdAtMs;
    this.authenticated = call.port.settings.requirepass === "";
  }

  get isBlocked(): boolean {
    return this.#blocked !== null;
  }

  /** A command of it is answered later. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Replies that the kernel has not taken yet. */
  get outputBytes(): number {
    return this.#transport.outputBytes;
  }

  get bufferedBytes(): number {
    let bytes = this.#parser.buffered;
    for (const read of this.#waiting) bytes += read.length;
    return bytes;
  }

  /** One socket read. */
  receive(read: Buffer): void {
    const { counters } = this.#port;
    counters.reads++;
    counters.inputBytes += read.length;
    if (this.closed || this.#closing) return;
    if (this.#blocked !== null || this.#waiting.length > 0) {
      this.#waiting.push(read);
      this.#transport.pause();
      return;
    }
    this.#parser.feed(read);
    this.#run(null);
  }

  /**
   * Stops executing until `done` is called, with what then writes the reply. May be called at once. The socket
   * is read on until something comes: most who wait send nothing, and one that goes away is noticed.
   * @param start returns what to call when the client goes away first
   */
  block(start: (done: (write: (reply: ReplyWriter) => void) => void) => () => void): void {
    const wait = { answered: false, inside: true };
    const cancel = start((write) => {
      if (wait.answered) return;
      wait.answered = true;
      if (wait.inside) answer(this.#call, write);
      else this.#unblock(write);
    });
    wait.inside = false;
    if (wait.answered) return;
    this.#blocked = cancel;
    this.#isWaiting = true;
  }

  /** The socket took all that was written. */
  drained(): void {
    if (!this.#draining) return;
    this.#draining = false;
    this.#unblock(null);
  }

  answersData(from: number, to: number, what: Unconfirmed): void {
    this.#transport.answersData(from, to, what);
  }

  /** Of those that wait already some may need as many as were asked for before. */
  copiesWith(heldReplies: number): number {
    if (heldReplies === 0 || this.copies > this.#copiesHeld) this.#copiesHeld = this.copies;
    return this.#copiesHeld;
  }

  /** Replies that were written still go out. */
  closeAfterReply(): void {
    this.#closing = true;
  }

  /** Executes no more; replies that were written, and one that it waits for, still go out. */
  end(): void {
    this.#closing = true;
    if (this.#blocked === null && !this.closed) this.#transport.end();
  }

  /** Forgets MULTI and WATCH. */
  discard(watches: WatchTable): void {
    if (this.queue !== null) this.#port.keys.queuedBytes -= this.queue.bytes;
    this.queue = null;
    watches.clear(this.watcher);
  }

  /** The socket is gone. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#blocked?.();
    this.#blocked = null;
    this.#waiting = [];
    this.#countInput(0);
    this.discard(this.#port.keys.watches);
  }

  /** CLIENT KILL and shutdown. */
  destroy(): void {
    this.#transport.destroy();
  }

  #unblock(write: ((reply: ReplyWriter) => void) | null): void {
    if (this.closed) return;
    if (this.#port.busy) {
      // Another client's replies are being gathered.
      setImmediate(() => this.#unblock(write));
      return;
    }
    this.#blocked = null;
    this.#isWaiting = false;
    this.#run(write);
  }

  /** Executes what there is; `write` first answers the command that blocked. */
  #run(write: ((reply: ReplyWriter) => void) | null): void {
    const { reply, node } = this.#port;
    this.#port.busy = true;
    this.#call.client = this;
    this.#call.args = this.#args;
    reply.begin(this.#sink, this.protocol);
    this.#untilMs = performance.now() + RUN_MS;
    if (write !== null) answer(this.#call, write);
    if (!this.#closing) this.#execute();
    if (this.#parser.error !== "" && !this.#closing && this.#blocked === null) {
      this.#port.counters.protocolErrors++;
      reply.error(`ERR ${this.#parser.error}`);
      this.#port.log.warn("client_dropped", { client: this.address, reason: this.#parser.error });
      this.#closing = true;
    }
    this.#countInput(this.#parser.buffered);
    node.turn.appended();
    reply.flush();
    this.#port.busy = false;
    if (this.#closing) this.#transport.end();
    else if (this.#blocked === null) this.#transport.resume();
  }

  /** A command that is still arriving counts as memory, once it is more than a read. */
  #countInput(bytes: number): void {
    const counted = bytes > READ_BYTES ? bytes : 0;
    this.#port.keys.inputBytes += counted - this.#countedInput;
    this.#countedInput = counted;
  }

  /** Until blocked, closing or out of whole commands. */
  #execute(): void {
    const parser = this.#parser;
    while (true) {
      if (this.#next < parser.count && !this.#executeParsed()) return;
      if (this.#parseMore()) continue;
      const read = parser.error === "" ? this.#waiting.shift() : undefined;
      if (read === undefined) return;
      parser.feed(read);
    }
  }

  #parseMore(): boolean {
    const parser = this.#parser;
    if (this.#next < parser.count) return true;
    parser.authenticated = this.authenticated;
    this.#next = 0;
    return parser.parse(this.authenticated ? PARSE_COMMANDS_MAX : 1);
  }

  /** The commands of one parse(); false when it must stop in between. */
  #executeParsed(): boolean {
    const { keys, node, counters } = this.#port;
    const parser = this.#parser;
    const call = this.#call;
    const now = Date.now();
    keys.refresh(now);
    this.lastActiveMs = now;
    this.#findEntries();
    const paced = node.writersPaced() || this.#turn.sinceMs >= 0;
    while (this.#next < parser.count) {
      const index = this.#next;
      const entry = entries[index];
      if (paced && entry !== undefined && this.#mustWait(entry, index)) {
        this.#waitForWriters();
        return false;
      }
      this.#next = index + 1;
      const base = parser.first[index]!;
      call.args.point(parser.bytes, parser.from, parser.to, base, parser.first[index + 1]! - base);
      counters.commands++;
      dispatch(call, entry);
      if (this.#isFull()) this.#waitForOutput();
      else if (isCostly(entry, call.args) && performance.now() >= this.#untilMs) this.#yield();
      if (this.#blocked !== null || this.#closing) break;
    }
    return this.#blocked === null && !this.#closing;
  }

  #mustWait(entry: Command, index: number): boolean {
    const bits =
      entry.name === "exec" ? (this.queue?.bits ?? 0) : this.queue === null ? entry.bits : 0;
    if ((bits & FLAG.write) !== 0) return !this.#mayWrite(index);
    const isRead = (bits & FLAG.readonly) !== 0;
    return isRead && this.#port.node.failover.holdsReads && waitsForOthers(this.#call);
  }

  /** Commands that may take long: the rest of the pipeline runs after everybody else's turn. */
  #yield(): void {
    if (this.#blocked !== null || this.#closing) return;
    if (this.#next === this.#parser.count && this.#parser.buffered === 0) return;
    this.#blocked = () => undefined;
    this.#transport.pause();
    setImmediate(() => this.#unblock(null));
  }

  /** A stranger may have hardly anything waiting for it. */
  #isFull(): boolean {
    if (this.authenticated) return this.#transport.isFull;
    const { reply } = this.#port;
    if (reply.pending + this.#transport.outputBytes <= STRANGER_OUTPUT_BYTES) return false;
    reply.flush();
    return this.#transport.outputBytes > STRANGER_OUTPUT_BYTES;
  }

  /** The commands of one read may ask for far more than the read's size. */
  #waitForOutput(): void {
    if (this.#blocked !== null) return;
    this.#draining = true;
    this.#blocked = () => undefined;
    this.#transport.pause();
  }

  #waitForWriters(): void {
    this.#transport.pause();
    this.#blocked = this.#port.node.onWritersResumed(this.#turn, () => this.#unblock(null));
  }

  /** Asked for each write while writers are slowed. The command's length stands for what it logs. */
  #mayWrite(index: number): boolean {
    const { from, to, first } = this.#parser;
    const bytes = to[first[index + 1]! - 1]! - from[first[index]!]!;
    return this.#port.node.mayWrite(this.#turn, bytes);
  }

  /** Looks commands up, and has the store load their keys into the processor's caches. */
  #findEntries(): void {
    const parser = this.#parser;
    const { bytes, from, to, first, count } = parser;
    const { store } = this.#port.keys;
    let keyed = 0;
    for (let index = this.#next; index < count; index++) {
      const base = first[index]!;
      const entry = findCommand(bytes, from[base]!, to[base]!);
      entries[index] = entry;
      if (entry !== undefined && entry.firstKey === 1 && first[index + 1]! > base + 1) {
        touchFrom[keyed] = from[base + 1]!;
        touchTo[keyed++] = to[base + 1]!;
      }
    }
    if (keyed > 1 && store.size > TOUCH_KEYS_MIN) store.touch(bytes, touchFrom, touchTo, keyed);
  }
}

function isCostly(entry: Command | undefined, args: Args): boolean {
  if (entry === undefined) return false;
  return (entry.bits & FLAG.costly) !== 0 || args.count > CHEAP_ARGUMENTS_MAX;
}
