/**
 * `npm run demo`: a primary and two replicas to play with, each on a directory, a trickle of writes, and a
 * live status until Ctrl-C. A node that is killed (SIGKILL) comes back on its directory.
 *
 * Owns: the trickle, the picture, starting again. Does not own: processes, text.
 */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeStatus } from "../../src/node/api.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { Random } from "../../tools/random.ts";
import { errorText } from "../../tools/wait.ts";
import { demoDirectory } from "./directory.ts";
import { Prose } from "./text.ts";

const PORTS = [6380, 6381, 6382] as const;
const REPL_PORT_DISTANCE = 10_000;
const WRITE_EVERY_MS = 200;
const DRAW_EVERY_MS = 1000;
/** Without a terminal to redraw, every so many pictures one is printed. */
const PRINT_EVERY = 10;
const LINES = 500;
/** How long a node that was killed is seen to be down. */
const DOWN_MS = 3000;

const HELP = `
Talk to them, from another terminal:

  redis-cli -p 6380 set greeting hello       write on the primary
  redis-cli -p 6381 get greeting             read it on a replica
  redis-cli -p 6381 set greeting nope        a replica takes no writes
  redis-cli -p 6380 get demo:line:1          what the trickle writes
  redis-cli -p 6380 info replication         as redis shows it
  redis-cli -p 6382 replicaof no one         promote: 6380 is fenced, and follows; then back again:
  redis-cli -p 6380 replicaof no one
  node dist/daemon/main.js status 127.0.0.1:6380 --watch
  kill -9 PID                                the node comes back, with its data

Ctrl-C stops all three.
`;

/** @throws Error with a text for the user when a port is taken */
export async function runLive(fleet: Fleet, stopped: AbortSignal): Promise<void> {
  for (const port of PORTS) {
    await mustBeFree(port);
    await mustBeFree(port + REPL_PORT_DISTANCE);
  }
  const [one, two, three] = PORTS.map(String) as [string, string, string];
  const places = [new Place(fleet, "primary", ["primary", "--port", one])];
  for (const port of [two, three])
    places.push(
      new Place(fleet, `replica ${port}`, ["replica", "--of", `127.0.0.1:${one}`, "--port", port]),
    );
  for (const place of places) await place.start();
  console.log(`hawser: a primary on port ${one}, replicas on ${two} and ${three}`);
  console.log(HELP);
  const trickle = new Trickle(places);
  await Promise.all([
    trickle.run(stopped),
    drawUntil(stopped, places, trickle),
    ...places.map((place) => place.keepUp(stopped)),
  ]);
}

/** A node's place: its ports and its directory, with one process after the other in it. */
class Place {
  node!: Daemon;
  readonly #fleet: Fleet;
  readonly #name: string;
  readonly #args: readonly string[];

  constructor(fleet: Fleet, name: string, args: readonly string[]) {
    this.#fleet = fleet;
    this.#name = name;
    const dir = demoDirectory(fleet);
    this.#args = [...args, "--repl-port", replPort(args.at(-1)!), "--dir", dir];
  }

  async start(): Promise<void> {
    this.node = await this.#fleet.node(this.#name, this.#args);
  }

  /** Until `stopped`: whatever kills it, it comes back; what was told to stop stays down. */
  async keepUp(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await pause(DRAW_EVERY_MS, stopped);
      if (this.node.exit?.signal === "SIGKILL") await this.#comeBack(stopped);
    }
  }

  async #comeBack(stopped: AbortSignal): Promise<void> {
    await pause(DOWN_MS, stopped);
    if (stopped.aborted) return;
    await this.start().catch((error: unknown) => {
      if (!stopped.aborted) throw error;
    });
  }
}

/** Ends early when `stopped`. */
async function pause(ms: number, stopped: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stopped }).catch(() => undefined);
}

function replPort(port: string): string {
  return String(Number(port) + REPL_PORT_DISTANCE);
}

async function mustBeFree(port: number): Promise<void> {
  const server = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  server.close();
  if (isFree) return;
  throw new Error(
    `port ${port} is in use: stop what listens there, or run "npm run demo -- --check", which takes free ports`,
  );
}

/** Writes a line now and then, to whichever node is the primary at the time. */
class Trickle {
  written = 0;
  trouble = "";
  readonly #places: readonly Place[];
  readonly #prose = new Prose(1);
  readonly #random = new Random(Date.now());

  constructor(places: readonly Place[]) {
    this.#places = places;
  }

  async run(stopped: AbortSignal): Promise<void> {
    let at = 0;
    while (!stopped.aborted) {
      try {
        const line = this.#prose.sentence(this.#random);
        const key = `demo:line:${(this.written % LINES) + 1}`;
        await this.#places[at]!.node.call("SET", key, line);
        this.written++;
        this.trouble = "";
      } catch (error) {
        this.trouble = `${this.#places[at]!.node.name}: ${errorText(error)}`;
        at = (at + 1) % this.#places.length;
      }
      await pause(WRITE_EVERY_MS, stopped);
    }
  }
}

async function drawUntil(
  stopped: AbortSignal,
  places: readonly Place[],
  trickle: Trickle,
): Promise<void> {
  let drawn = 0;
  for (let round = 0; !stopped.aborted; round++) {
    const lines = await Promise.all(places.map(({ node }) => describeNode(node)));
    const trouble = trickle.trouble === "" ? "" : `   last refusal: ${trickle.trouble}`;
    lines.push(`${trickle.written} lines written${trouble}`);
    if (process.stdout.isTTY) {
      if (drawn > 0) process.stdout.write(`\x1b[${drawn}A`);
      process.stdout.write(lines.map((line) => `\x1b[2K${fit(line)}\n`).join(""));
      drawn = lines.length;
    } else if (round % PRINT_EVERY === 0) {
      console.log(lines.join("\n"));
    }
    await pause(DRAW_EVERY_MS, stopped);
  }
}

function fit(line: string): string {
  return line.slice(0, (process.stdout.columns || 120) - 1);
}

async function describeNode(node: Daemon): Promise<string> {
  const name = `127.0.0.1:${node.port} (${node.pid})`;
  try {
    return `${name}  ${describeStatus(await node.status())}`;
  } catch (error) {
    return `${name}  down: ${node.exit ? "the process has ended" : errorText(error)}`;
  }
}

function describeStatus(status: NodeStatus): string {
  const { role, position, backlog, links, upstream, counters } = status;
  const head = `${role.padEnd(7)}  ${position.history.slice(0, 8)}:${position.offset}`;
  const kept = `backlog ${((backlog.next - backlog.first) / 1e6).toFixed(1)} MB`;
  const syncs = `full ${counters["sync_full"] ?? 0} partial ${counters["sync_partial_ok"] ?? 0}`;
  const feeding = links.map((l) => `[${l.clientPort} ${l.state}, ${l.lagBytes} B behind]`);
  if (!upstream) return [head, kept, syncs, ...feeding].join("  ");
  const { state, restore, lagBytes, staleMs, lastError } = upstream;
  const loading = restore ? `  loading ${(restore.bytes / 1e6).toFixed(1)} MB` : "";
  const lag = state === "streaming" ? `lag ${lagBytes} B, ${staleMs} ms` : lastError;
  return [head, `${state}${loading}`, lag, ...feeding].join("  ");
}
