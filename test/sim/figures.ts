/**
 * What a replica shows of its lag is never less than what is really missing, as far as PINGs can
 * have told it. Keeps its own account of what each PING was sent with, and of what came of it.
 *
 * Owns: that account. Does not own: how a node comes to its figures (replica/owed.ts).
 */
import { hasState } from "../../src/node/roles.ts";
import { linkStatus } from "../../src/node/status.ts";
import { downForMs, owedBytes, staleMs, wordOnRoot } from "../../src/replica/owed.ts";
import type { Id } from "../../src/wire/messages.ts";
import { SimError } from "./clock.ts";
import type { SimNode } from "./sim-node.ts";
import type { Simulation } from "./simulation.ts";

/** What a node can know of its root. */
interface Word {
  /** Where the root's log ended when it said so, and in which history. */
  readonly end: number;
  readonly history: Id;
  /** All links above stood. */
  readonly stands: boolean;
  /** When it was heard here, and how old it was then without its times on the way. */
  readonly atMs: number;
  readonly ageMs: number;
  /** Times on the way, added up. */
  readonly transitMs: number;
}

/** sentUs and ages are rounded. */
const ROUNDING_MS = 5;

export class Figures {
  private readonly sim: Simulation;
  /** Newest word each replica has. */
  private readonly words = new Map<SimNode, Word | null>();
  private readonly pings = new Map<SimNode, number>();
  /** What was known when a PING was sent: by sender's name, then by sentUs. */
  private readonly sent = new Map<string, Map<number, Word | null>>();

  constructor(sim: Simulation) {
    this.sim = sim;
  }

  observe(node: SimNode): void {
    this.noteSent(node);
    this.checkLinks(node);
    if (node.role === "primary") return;
    this.noteHeard(node);
    this.checkLag(node);
    this.checkRootLink(node);
    this.checkStaleness(node);
  }

  private noteSent(node: SimNode): void {
    const nowMs = node.now();
    if (!node.feeder.links.some((link) => link.hello !== null && link.heartbeat.pingMs === nowMs))
      return;
    let sent = this.sent.get(node.name);
    if (sent === undefined) this.sent.set(node.name, (sent = new Map<number, Word | null>()));
    const sentUs = Math.round(nowMs * 1000);
    if (!sent.has(sentUs)) sent.set(sentUs, this.wordOf(node));
  }

  /** What `node` can say of the root now. */
  private wordOf(node: SimNode): Word | null {
    const atMs = node.now();
    if (node.role === "primary") {
      const { history } = node.identity;
      return { end: node.backlog.next, history, stands: true, atMs, ageMs: 0, transitMs: 0 };
    }
    const word = this.words.get(node) ?? null;
    if (word === null) return null;
    const stands = word.stands && node.session.connected;
    return { ...word, stands, atMs, ageMs: word.ageMs + atMs - word.atMs };
  }

  private noteHeard(node: SimNode): void {
    const { session } = node;
    const { echoUs } = (session as unknown as { acks: { echoUs: number } }).acks;
    if (session.root.end < 0) this.words.delete(node);
    // A PING in the very bytes in which the connection ended: what it said is not known here.
    const { heardAtMs } = session.root as unknown as { heardAtMs: number };
    if (echoUs === 0 && heardAtMs === node.now()) this.words.delete(node);
    if (echoUs === (this.pings.get(node) ?? 0)) return;
    this.pings.set(node, echoUs);
    if (echoUs === 0) return;
    const said = this.sent.get(node.upstream)?.get(echoUs);
    if (said === undefined || said === null) {
      this.words.delete(node);
      return;
    }
    const atMs = node.now();
    this.words.set(node, { ...said, atMs, transitMs: said.transitMs + atMs - said.atMs });
  }

  private checkLag(node: SimNode): void {
    const { session, backlog } = node;
    const shown = owedBytes(session, session.root.end);
    if (shown < 0) return;
    const { restore } = session;
    if ((restore !== null || session.owesSnapshot) && shown === 0)
      this.fail(node, "shows no lag and owes a snapshot");
    const word = this.words.get(node) ?? null;
    if (word === null) return;
    const position = restore?.begin.position ?? {
      history: node.identity.history,
      offset: backlog.next,
    };
    if (position.history !== word.history) return;
    const left = restore === null ? 0 : Math.max(0, restore.begin.bytes - restore.bytes);
    const missing = word.end - position.offset + left;
    if (shown < missing)
      this.fail(node, `shows a lag of ${shown} bytes, ${missing} are missing to the root's end`);
  }

  private checkRootLink(node: SimNode): void {
    const { session } = node;
    const downMs = downForMs(session, node.now());
    const up = downMs === 0 && wordOnRoot(session, node.now())?.awayMs === 0;
    const word = this.words.get(node);
    if (!up && session.state.kind === "streaming" && word?.stands === false)
      this.sim.mark("root away behind a live link");
    if (up && word?.stands === false)
      this.fail(node, "shows the link to the root as up, and a PING said that it is down");
  }

  private checkStaleness(node: SimNode): void {
    const nowMs = node.now();
    const { session, backlog } = node;
    const shown = hasState(node.core.roles.now) ? staleMs(session, nowMs) : -1;
    if (shown < 0) return;
    if (session.lastReceivedMs >= 0 && shown < nowMs - session.lastReceivedMs - ROUNDING_MS)
      this.fail(node, `says ${shown} ms, nothing came since ${session.lastReceivedMs}`);
    const word = this.words.get(node) ?? null;
    const jumped = [...this.sim.nodes.values()].some((other) => other.clockJumpMs !== 0);
    if (word === null || jumped || this.jumped) {
      this.jumped ||= jumped;
      return;
    }
    const ageMs = word.ageMs + nowMs - word.atMs;
    const batchMs = node.wallClock() - backlog.newestClockMs - word.transitMs;
    const least = Math.min(ageMs, batchMs) - ROUNDING_MS;
    if (shown < least) this.fail(node, `says that it is ${shown} ms old, it is ${least} at least`);
  }

  /** A clock jumped once: clocks say nothing any more. */
  private jumped = false;

  private checkLinks(node: SimNode): void {
    for (const link of node.feeder.links) {
      if (link.currentShip === null) continue;
      const { lagBytes } = linkStatus(node.feeder, link, node.now(), 0);
      if (lagBytes === 0) this.fail(node, `shows no lag of ${link.remote}, which owes a snapshot`);
    }
  }

  private fail(node: SimNode, what: string): never {
    throw new SimError(`${node.name}: ${what}`);
  }
}
