/**
 * `npm run demo -- --check`: the main job on real input, unattended.
 *
 *   primary <---- proxy <---- replica-a   killed in mid-ship and restarted; its link is cut later
 *      ^--------------------- replica-b   stopped until its position has left the backlog
 *
 * Every fault is steered by what the nodes report, never by a clock. At the end all three must hold
 * the same state, it must be the state that was written, and the counters must show that the
 * stream, the partial resync and the snapshot path were each taken.
 * Owns: the order of events and the checks. Does not own: processes, text, the proxy.
 */
import type { NodeStatus } from "../../src/node/api.ts";
import { converge, count } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import type { FaultProxy } from "../../tools/proxy.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until, within } from "../../tools/wait.ts";
import { Checks } from "./checks.ts";
import { Prose } from "./text.ts";
import { Writer } from "./writer.ts";

const SEED = 20_261;
const KEYS = 220_000;
/** Written before there is any replica: what the first ships carry. */
const KEYS_BEFORE = 150_000;
const KIB = 1024;
const MIB = 1024 * 1024;
const BACKLOG_BYTES = 4 * MIB;
/** Slow enough that a ship can be caught in its middle, fast enough to wait for. */
const SHIP_RATE = "12mb";
/** What is in flight unconfirmed stays well inside the backlog. */
const PACE_BYTES = MIB;
/** A link may always finish the batch it is in, of about 1 MiB or one large value. */
const BATCH_BYTES_MAX = 4 * MIB;
/** Share of a ship after which its replica is killed. */
const KILL_AT = 0.3;

export async function runMainJob(fleet: Fleet): Promise<Checks> {
  const job = new MainJob(fleet);
  await job.run();
  return job.checks;
}

class MainJob {
  readonly checks = new Checks();
  readonly #fleet: Fleet;
  #primary!: Daemon;
  #a!: Daemon;
  #b!: Daemon;
  #proxy!: FaultProxy;
  #writer!: Writer;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  async run(): Promise<void> {
    await this.#start();
    await this.#killInMidShip();
    await this.#shipToBoth();
    await this.#streamAndCut();
    await this.#stopUntilOvertaken();
    await this.#compare();
  }

  async #start(): Promise<void> {
    const flags = ["--backlog", String(BACKLOG_BYTES), "--ship-rate", SHIP_RATE];
    this.#primary = await this.#fleet.primary(...flags);
    this.#proxy = await this.#fleet.proxy(this.#primary);
    const client = await RespClient.connect(this.#primary.port);
    this.#fleet.defer(() => client.close());
    this.#writer = new Writer(client, new Prose(SEED), KEYS);
    this.checks.step(`primary on port ${this.#primary.port}; writing ${KEYS_BEFORE} keys`);
    await this.#writer.write(0, KEYS_BEFORE, 1);
    const info = await this.#primary.info();
    const first = info.number("repl_backlog_first_byte_offset");
    this.checks.check(
      "the text is larger than the backlog",
      first > 0,
      `${megabytes(info.number("master_repl_offset"))} written, the first ${megabytes(first)} are gone`,
    );
  }

  async #killInMidShip(): Promise<void> {
    this.#a = await this.#replica("replica-a", this.#proxy.port);
    this.checks.step("replica-a syncs; it will be killed in mid-ship");
    const ship = await until(() => this.#midShip(), {
      what: `replica-a to have ${KILL_AT * 100} % of its snapshot`,
      everyMs: 10,
      describe: () => this.#primary.status(),
    });
    await this.#a.kill();
    const share = Math.round((100 * ship.bytesSent) / ship.bytesTotal);
    this.checks.step(`replica-a killed (SIGKILL) after ${ship.chunks} chunks, ${share} %`);
    const after = await this.#primary.status();
    this.checks.check(
      "the kill hit the middle of a ship",
      share > 0 && share < 90 && count(after.counters, "sync_full") === 1,
      `${ship.chunks} chunks had arrived, ${share} % of the bytes were sent`,
    );
  }

  /** Progress of the only ship, once it has got far enough; the replica has part of it by then. */
  async #midShip(): Promise<{ chunks: number; bytesSent: number; bytesTotal: number } | null> {
    const ship = (await this.#primary.status()).links[0]?.ship;
    if (!ship || ship.bytesTotal === 0 || ship.bytesSent < KILL_AT * ship.bytesTotal) return null;
    const restore = (await this.#a.status()).upstream?.restore;
    return restore && restore.chunks > 0 ? { ...ship, chunks: restore.chunks } : null;
  }

  async #shipToBoth(): Promise<void> {
    this.#a = await this.#replica("replica-a", this.#proxy.port);
    this.#b = await this.#replica("replica-b", this.#primary.replPort);
    this.checks.step("replica-a restarted, replica-b started; both sync while writing goes on");
    let isDone = false;
    const trickle = this.#trickle(() => isDone);
    await within(Promise.all([this.#streaming(this.#a), this.#streaming(this.#b)]), "both syncs");
    isDone = true;
    await trickle;
    await this.#writer.confirm(2);
  }

  /** A little writing, so that the catch-up after a ship has something to catch up with. */
  async #trickle(isDone: () => boolean): Promise<void> {
    for (let round = 0; !isDone(); round++) {
      const from = (round * 50) % KEYS_BEFORE;
      await this.#writer.write(from, from + 50, 2);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #streamAndCut(): Promise<void> {
    const before = await this.#primary.status();
    const half = (KEYS_BEFORE + KEYS) / 2;
    this.checks.step(`streaming ${KEYS - KEYS_BEFORE} keys to both; one link is cut in mid-stream`);
    await this.#writer.write(KEYS_BEFORE, half, 1, { replicas: 2, bytes: PACE_BYTES });
    const connections = this.#proxy.connectionsTotal;
    const cut = this.#proxy.down.cutAfter(300 * KIB, "reset");
    await this.#writer.write(half, half + 3000, 1);
    await within(cut, "the cut in mid-stream");
    await this.#streaming(this.#a);
    await this.#writer.write(half + 3000, KEYS, 1, { replicas: 2, bytes: PACE_BYTES });
    await this.#writer.confirm(2);
    const after = await this.#primary.status();
    const streamed = after.position.offset - before.position.offset;
    const [full, partial] = ["sync_full", "sync_partial_ok"].map(
      (name) => count(after.counters, name) - count(before.counters, name),
    );
    this.checks.check(
      "the stream carried it to both replicas",
      streamed > 2 * BACKLOG_BYTES && full === 0 && this.#proxy.down.bytes > streamed,
      `${megabytes(streamed)} applied and confirmed by 2 replicas, ${full ?? 0} full syncs`,
    );
    this.checks.check(
      "the cut link came back by partial resync",
      partial === 1 && this.#proxy.connectionsTotal > connections,
      `${partial ?? 0} partial sync, ${full ?? 0} full syncs meanwhile`,
    );
  }

  async #stopUntilOvertaken(): Promise<void> {
    const fullBefore = count((await this.#primary.status()).counters, "sync_full");
    this.#b.pause();
    this.checks.step(
      "replica-b stopped (SIGSTOP); writing until its position has left the backlog",
    );
    const positionB = await this.#overtake();
    const first = (await this.#primary.info()).number("repl_backlog_first_byte_offset");
    this.#b.resume();
    this.checks.step(
      `replica-b continued (SIGCONT) at ${positionB}; the backlog begins at ${first}`,
    );
    await until(
      async () => count((await this.#primary.status()).counters, "sync_full") > fullBefore,
      { what: "replica-b to be shipped a snapshot", describe: () => this.#primary.status() },
    );
    await this.#streaming(this.#b);
    const full = count((await this.#primary.status()).counters, "sync_full") - fullBefore;
    this.checks.check(
      "the overtaken replica got a snapshot",
      positionB < first && full === 1,
      `${first - positionB} bytes behind the backlog, ${full} full sync`,
    );
  }

  /**
   * Writes new editions until neither what B applied nor what is on its way to it is in the backlog.
   * @returns the position B was stopped at, as the primary's INFO says
   */
  async #overtake(): Promise<number> {
    let applied = 0;
    let sent = 0;
    for (let edition = 3; edition < 100; edition++) {
      for (let from = 0; from < KEYS; from += 5000) {
        await this.#writer.write(from, from + 5000, edition, { replicas: 1, bytes: PACE_BYTES });
        const info = await this.#primary.info();
        const first = info.number("repl_backlog_first_byte_offset");
        const shown = info.replicas.find((replica) => replica.get("port") === String(this.#b.port));
        applied = Number(shown?.get("offset") ?? applied);
        // The primary may give the link up meanwhile; what it had sent is in the kernel then.
        sent = linkOf(await this.#primary.status(), this.#b)?.sent ?? sent;
        if (Math.max(applied, sent) + BATCH_BYTES_MAX < first) return applied;
      }
    }
    throw new Error("the backlog never moved past the stopped replica");
  }

  async #compare(): Promise<void> {
    this.checks.step("comparing the three states");
    const nodes = [this.#primary, this.#a, this.#b];
    const { records, sum, offset } = await converge(nodes);
    this.checks.check(
      "the digests of all three are equal",
      true,
      `${records} keys, ${sum} at offset ${offset}`,
    );
    const written = this.#writer.keysWritten;
    this.checks.check("every key is there", records === written && records === KEYS, `${records}`);
    for (const node of nodes) {
      const different = await this.#writer.firstDifference(await node.client(), 7);
      const seen = different === null ? "every 7th key compared" : `${different} differs`;
      this.checks.check(`${node.name} answers what was written`, different === null, seen);
    }
    await this.#figures();
  }

  async #figures(): Promise<void> {
    const { counters } = await this.#primary.status();
    const full = count(counters, "sync_full");
    const partial = count(counters, "sync_partial_ok");
    const chunks = count(counters, "snapshot_chunks_sent");
    this.checks.check(
      "the counters show both ways of resync",
      full === 4 && partial === 1 && chunks > 0,
      `sync_full ${full} (killed, restarted, second replica, overtaken), ` +
        `sync_partial_ok ${partial}, snapshot_chunks_sent ${chunks}`,
    );
    console.log(
      `demo: ${this.#writer.recordsWritten} records, ${megabytes(this.#writer.bytesWritten)}, ` +
        `${full} full syncs, ${partial} partial sync${partial === 1 ? "" : "s"}, ` +
        `${this.checks.seconds} s`,
    );
  }

  #replica(name: string, port: number): Promise<Daemon> {
    const backlog = ["--backlog", String(BACKLOG_BYTES)];
    return this.#fleet.node(name, ["replica", "--of", `127.0.0.1:${port}`, ...backlog]);
  }

  /** Both ends agree that this replica follows the stream. */
  async #streaming(replica: Daemon): Promise<void> {
    await until(
      async () => {
        const { upstream } = await replica.status();
        const link = linkOf(await this.#primary.status(), replica);
        return upstream?.state === "streaming" && link?.state === "streaming";
      },
      {
        what: `${replica.name} to stream`,
        describe: async () => [await replica.status(), await this.#primary.status()],
      },
    );
  }
}

function linkOf(status: NodeStatus, replica: Daemon): NodeStatus["links"][number] | undefined {
  return status.links.find((link) => link.clientPort === replica.port);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
