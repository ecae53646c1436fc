/**
 * `npm run demo -- --check`: the main job on real input, unattended.
 *
 *   primary <---- proxy <---- replica-a   killed in mid-ship and restarted; its link is cut later, and
 *    on a                                 then refused until not even the disk has what it misses
 *   directory <-------------- replica-b   stopped until what it misses is on the disk alone
 *
 * At last the primary is killed (SIGKILL) and started on its directory again.
 *
 * Every fault is steered by what the nodes report, never by a clock. At the end all three must hold
 * the same state, it must be the state that was written, and the counters must show that the
 * stream, the partial resync, the log on disk and the snapshot path were each taken.
 * Owns: the order of events and the checks. Does not own: processes (cast.ts), text, the proxy.
 */
import { converge, count } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { until, within } from "../../tools/wait.ts";
import { Cast, linkOf } from "./cast.ts";
import { Checks } from "./checks.ts";
import { Prose } from "./text.ts";
import { Writer } from "./writer.ts";

const SEED = 20_261;
const KEYS = 220_000;
/** Written before there is any replica: what the first ships carry. */
const KEYS_BEFORE = 150_000;
/** Written last of all, each answer of which means that it is synced. */
const KEYS_DURABLE = 20_000;
const KIB = 1024;
const MIB = 1024 * 1024;
const BACKLOG_BYTES = 4 * MIB;
/** Log on disk for replicas that come back, beside what a restart needs. */
const LOG_KEEP_BYTES = 4 * MIB;
/** Slow enough that a ship can be caught in its middle; those after it go as fast as they can. */
const SHIP_RATE = "12mb";
/** What is in flight unconfirmed stays well inside the backlog. */
const PACE_BYTES = MIB;
/** A link may always finish the batch it is in, of about 1 MiB or one large value. */
const BATCH_BYTES_MAX = 4 * MIB;
/** Share of a ship after which its replica is killed. */
const KILL_AT = 0.3;
/** Entries of one step of the writing that overtakes a replica. */
const OVERTAKE_STEP = 5000;
/** The overtaking begins with edition 3; it ends long before these. */
const EDITION_DURABLE = 101;
const EDITION_LAST = 102;

export async function runMainJob(fleet: Fleet): Promise<Checks> {
  const job = new MainJob(fleet);
  await job.run();
  return job.checks;
}

class MainJob {
  readonly checks = new Checks();
  readonly #cast: Cast;
  #writer!: Writer;
  /** Of the overtaking: the next edition's entries. */
  #edition = 3;
  #from = 0;
  /** Counters of the primary before it was killed. */
  #killed: Readonly<Record<string, number>> = {};

  constructor(fleet: Fleet) {
    this.#cast = new Cast(fleet, {
      primary: [
        ...["--backlog", String(BACKLOG_BYTES), "--log-keep", String(LOG_KEEP_BYTES)],
        ...["--ship-rate", SHIP_RATE],
      ],
      replica: ["--backlog", String(BACKLOG_BYTES), "--backoff-max", "1s"],
    });
  }

  async run(): Promise<void> {
    await this.#start();
    await this.#killInMidShip();
    await this.#shipToBoth();
    await this.#streamAndCut();
    await this.#stopUntilOnDisk();
    await this.#keepAwayUntilGone();
    await this.#killThePrimary();
    await this.#compare();
  }

  async #start(): Promise<void> {
    const cast = this.#cast;
    await cast.start();
    this.#writer = new Writer(await cast.connect(), new Prose(SEED), KEYS);
    this.checks.step(
      `primary on port ${cast.primary.port}, with a directory; writing ${KEYS_BEFORE} keys`,
    );
    await this.#writer.write(0, KEYS_BEFORE, 1);
    const info = await cast.primary.info();
    const first = info.number("repl_backlog_first_byte_offset");
    this.checks.check(
      "the text is larger than the backlog",
      first > 0,
      `${megabytes(info.number("master_repl_offset"))} written, the first ${megabytes(first)} are not in memory`,
    );
  }

  async #killInMidShip(): Promise<void> {
    const cast = this.#cast;
    await cast.startA();
    this.checks.step("replica-a syncs; it will be killed in mid-ship");
    const ship = await until(() => this.#midShip(), {
      what: `replica-a to have ${KILL_AT * 100} % of its snapshot`,
      everyMs: 10,
      describe: () => cast.primary.status(),
    });
    await cast.a.kill();
    const share = Math.round((100 * ship.bytesSent) / ship.bytesTotal);
    this.checks.step(`replica-a killed (SIGKILL) after ${ship.chunks} chunks, ${share} %`);
    this.checks.check(
      "the kill hit the middle of a ship",
      share > 0 && share < 90 && (await cast.counter("sync_full")) === 1,
      `${ship.chunks} chunks had arrived, ${share} % of the bytes were sent`,
    );
    await cast.primary.call("CONFIG", "SET", "ship-rate", "0");
  }

  /** Progress of the only ship, once it has got far enough; the replica has part of it by then. */
  async #midShip(): Promise<{ chunks: number; bytesSent: number; bytesTotal: number } | null> {
    const ship = (await this.#cast.primary.status()).links[0]?.ship;
    if (!ship || ship.bytesTotal === 0 || ship.bytesSent < KILL_AT * ship.bytesTotal) return null;
    const restore = (await this.#cast.a.status()).upstream?.restore;
    return restore && restore.chunks > 0 ? { ...ship, chunks: restore.chunks } : null;
  }

  async #shipToBoth(): Promise<void> {
    const cast = this.#cast;
    await cast.startA();
    await cast.startB();
    this.checks.step("replica-a restarted, replica-b started; both sync while writing goes on");
    let isDone = false;
    const trickle = this.#trickle(() => isDone);
    await within(Promise.all([cast.streaming(cast.a), cast.streaming(cast.b)]), "both syncs");
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
    const { primary, proxy, a } = this.#cast;
    const before = await primary.status();
    const half = (KEYS_BEFORE + KEYS) / 2;
    this.checks.step(`streaming ${KEYS - KEYS_BEFORE} keys to both; one link is cut in mid-stream`);
    await this.#writer.write(KEYS_BEFORE, half, 1, { replicas: 2, bytes: PACE_BYTES });
    const connections = proxy.connectionsTotal;
    const cut = proxy.down.cutAfter(300 * KIB, "reset");
    await this.#writer.write(half, half + 3000, 1);
    await within(cut, "the cut in mid-stream");
    await this.#cast.streaming(a);
    await this.#writer.write(half + 3000, KEYS, 1, { replicas: 2, bytes: PACE_BYTES });
    await this.#writer.confirm(2);
    const after = await primary.status();
    const streamed = after.position.offset - before.position.offset;
    const [full, partial] = ["sync_full", "sync_partial_ok"].map(
      (name) => count(after.counters, name) - count(before.counters, name),
    );
    this.checks.check(
      "the stream carried it to both replicas",
      streamed > 2 * BACKLOG_BYTES && full === 0 && proxy.down.bytes > streamed,
      `${megabytes(streamed)} applied and confirmed by 2 replicas, ${full ?? 0} full syncs`,
    );
    this.checks.check(
      "the cut link came back by partial resync",
      partial === 1 && proxy.connectionsTotal > connections,
      `${partial ?? 0} partial sync, ${full ?? 0} full syncs meanwhile`,
    );
  }

  /** Memory does not reach back to it any more, the disk does. */
  async #stopUntilOnDisk(): Promise<void> {
    const cast = this.#cast;
    const full = await cast.counter("sync_full");
    cast.b.pause();
    this.checks.step("replica-b stopped (SIGSTOP); writing until its position has left the memory");
    const position = await this.#overtakeB();
    const info = await cast.primary.info();
    const first = info.number("repl_backlog_first_byte_offset");
    const oldest = info.number("backlog_oldest_offset");
    cast.b.resume();
    this.checks.step(
      `replica-b continued (SIGCONT) at ${position}; memory begins at ${first}, the log on disk at ${oldest}`,
    );
    await this.#writer.confirm(2);
    await cast.streaming(cast.b);
    const stored = await cast.counter("stream_bytes_from_store");
    const more = (await cast.counter("sync_full")) - full;
    this.checks.check(
      "the stopped replica was fed from the disk",
      position < first && position >= oldest && stored > 0 && more === 0,
      `${megabytes(first - position)} behind memory, ${megabytes(stored)} read from the disk, ${more} full syncs`,
    );
  }

  /**
   * Writes until neither what B applied nor what is on its way to it is in memory.
   * @returns the position B was stopped at, as the primary's INFO says
   */
  async #overtakeB(): Promise<number> {
    const { primary, b } = this.#cast;
    let applied = 0;
    let sent = 0;
    await this.#overtake(async () => {
      const info = await primary.info();
      const shown = info.replicas.find((replica) => replica.get("port") === String(b.port));
      applied = Number(shown?.get("offset") ?? applied);
      // The primary may give the link up meanwhile; what it had sent is in the kernel then.
      sent = linkOf(await primary.status(), b)?.sent ?? sent;
      const reached = Math.max(applied, sent) + BATCH_BYTES_MAX;
      return reached < info.number("repl_backlog_first_byte_offset");
    });
    return applied;
  }

  /** Two checkpoints, and what a restart reads begins behind its position: that log goes. */
  async #keepAwayUntilGone(): Promise<void> {
    const { primary, proxy, a } = this.#cast;
    const full = await this.#cast.counter("sync_full");
    proxy.refusing = true;
    proxy.cutAll("reset");
    const { offset } = (await a.status()).position;
    const number = async (name: string): Promise<number> => (await primary.info()).number(name);
    this.checks.step("replica-a cut off; writing and two checkpoints, until its log is gone");
    await this.#overtake(async () => (await number("repl_backlog_first_byte_offset")) > offset);
    await primary.call("SAVE");
    const enough = (await number("master_repl_offset")) + LOG_KEEP_BYTES;
    await this.#overtake(async () => (await number("master_repl_offset")) > enough);
    await primary.call("SAVE");
    const oldest = await number("backlog_oldest_offset");
    proxy.heal();
    this.checks.step(`replica-a let in again at ${offset}; the log begins at ${oldest}`);
    await this.#cast.streaming(a);
    const more = (await this.#cast.counter("sync_full")) - full;
    this.checks.check(
      "the replica that was away too long got a snapshot",
      offset < oldest && more === 1,
      `${megabytes(oldest - offset)} behind memory and disk, ${more} full sync`,
    );
    await this.#writer.confirm(2);
  }

  /** Writes newer editions, step by step, until it is true. */
  async #overtake(isOvertaken: () => Promise<boolean>): Promise<void> {
    while (this.#edition < EDITION_DURABLE) {
      const to = Math.min(KEYS, this.#from + OVERTAKE_STEP);
      const pace = { replicas: 1, bytes: PACE_BYTES };
      await this.#writer.write(this.#from, to, this.#edition, pace);
      this.#from = to === KEYS ? 0 : to;
      if (to === KEYS) this.#edition += 1;
      if (await isOvertaken()) return;
    }
    throw new Error("the log never moved past the replica");
  }

  /** What was answered under `always` is there again, whenever the primary dies. */
  async #killThePrimary(): Promise<void> {
    const cast = this.#cast;
    const keys = `${KEYS_DURABLE} keys`;
    this.checks.step(
      `writing ${keys} with fsync always; kill -9 of the primary at the last answer`,
    );
    await cast.primary.call("CONFIG", "SET", "appendfsync", "always");
    this.#killed = (await cast.primary.status()).counters;
    await this.#writer.write(0, KEYS_DURABLE, EDITION_DURABLE);
    await cast.primary.kill();
    this.checks.step("the primary is started on its directory again");
    await cast.restartPrimary();
    const records = Number(await cast.primary.call("DBSIZE"));
    const different = await this.#difference(cast.primary);
    this.checks.check(
      "the killed primary has all that it had answered",
      cast.primary.find("recovered") !== undefined && records === KEYS && different === null,
      `${records} keys, ${different ?? "every 7th compared"}`,
    );
    const asked = cast.primary.findAll("reclaim");
    this.checks.check(
      "its restart waited for nobody, nor for the replica that had been killed",
      asked.length > 0 && asked.every((line) => line["choice"] !== "ask_again"),
      asked.map((line) => String(line["why"])).join("; "),
    );
    await Promise.all([cast.streaming(cast.a), cast.streaming(cast.b)]);
    const [full, partial] = [
      await cast.counter("sync_full"),
      await cast.counter("sync_partial_ok"),
    ];
    this.checks.check(
      "its replicas went on by partial resync",
      full === 0 && partial === 2,
      `${partial} partial syncs, ${full} full syncs since the restart`,
    );
    this.#writer.use(await cast.connect());
    await this.#writer.write(0, OVERTAKE_STEP, EDITION_LAST);
  }

  async #compare(): Promise<void> {
    this.checks.step("comparing the three states");
    const { nodes } = this.#cast;
    const { records, sum, offset } = await converge(nodes);
    this.checks.check(
      "the digests of all three are equal",
      true,
      `${records} keys, ${sum} at offset ${offset}`,
    );
    const written = this.#writer.keysWritten;
    this.checks.check("every key is there", records === written && records === KEYS, `${records}`);
    for (const node of nodes) {
      const different = await this.#difference(node);
      const seen = different ?? "every 7th key compared";
      this.checks.check(`${node.name} answers what was written`, different === null, seen);
    }
    await this.#figures();
  }

  /** Null when it answers what was written. */
  async #difference(node: Daemon): Promise<string | null> {
    const key = await this.#writer.firstDifference(await node.client(), 7);
    return key === null ? null : `${key} differs`;
  }

  async #figures(): Promise<void> {
    const { counters } = await this.#cast.primary.status();
    const both = (name: string): number => count(counters, name) + count(this.#killed, name);
    const [full, partial] = [both("sync_full"), both("sync_partial_ok")];
    const [chunks, stored] = [both("snapshot_chunks_sent"), both("stream_bytes_from_store")];
    this.checks.check(
      "the counters show every way of catching up",
      full === 4 && partial === 3 && chunks > 0 && stored > 0,
      `sync_full ${full} (killed, restarted, second replica, away too long), ` +
        `sync_partial_ok ${partial} (cut, two after the restart), ` +
        `snapshot_chunks_sent ${chunks}, stream_bytes_from_store ${stored}`,
    );
    console.log(
      `demo: ${this.#writer.recordsWritten} records, ${megabytes(this.#writer.bytesWritten)}, ` +
        `${full} full syncs, ${partial} partial syncs, ${this.checks.seconds} s`,
    );
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
