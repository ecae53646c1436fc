/** A disk that is really full: a small file system, filled by clients until their writes are refused. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { Ledger, TICK_KEY, valueOf, type Change, type Found } from "../../scripts/crash/ledger.ts";
import { raiseFloors } from "../../scripts/crash/marks.ts";
import { converge, count } from "../../tools/converge.ts";
import type { Daemon } from "../../tools/processes.ts";
import { ReplyError, RespClient, textOf } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";
import { portsOf } from "../tools/data-directory.ts";
import { useFleet } from "../tools/fleet.ts";
import { SmallDisk } from "../tools/small-disk.ts";

const MIB = 1024 * 1024;
const DISK_BYTES = 24 * MIB;
const FILLER_BYTES = 8 * MIB;
const CLIENTS = 4;
const KEYS = 20;
const VALUE_BYTES = 8_000;

/** A client that writes one command after the other, and what it was told. */
class Client {
  readonly ledger: Ledger;
  readonly #name: string;
  #number = 0;
  /** Executed without a word on the disk: the next answer is one for these too. */
  #unconfirmed = 0;

  constructor(name: string) {
    this.#name = name;
    this.ledger = new Ledger(Array.from({ length: KEYS }, (_, n) => `${name}:${n}`));
  }

  /** Until a command is not answered with success, or so many were. @returns the refusal, "cut", or "" */
  async write(port: number, most = Number.POSITIVE_INFINITY): Promise<string> {
    const client = await RespClient.connect(port);
    for (let done = 0; done < most; done++) {
      const told = await this.#one(client);
      if (told !== "") {
        client.close();
        return told;
      }
    }
    client.close();
    return "";
  }

  /** What was found after a crash is what there is. */
  adopt(found: Found): void {
    this.#unconfirmed = 0;
    this.ledger.adopt(found);
  }

  async #one(client: RespClient): Promise<string> {
    const number = this.#number++;
    const key = `${this.#name}:${number % KEYS}`;
    const isTick = number % 10 === 0;
    const change: Change = isTick
      ? { kind: "tick" }
      : { kind: "set", key, number, length: VALUE_BYTES };
    const reply = await client
      .ask(...(isTick ? ["INCR", TICK_KEY] : ["SET", key, valueOf(number, VALUE_BYTES)]))
      .catch(() => "cut" as const);
    const isError = reply instanceof ReplyError;
    // Not executed. Of all else that is no success nobody knows.
    if (isError && reply.message.startsWith("MISCONF")) return reply.message;
    this.ledger.send(change);
    if (isError) this.#unconfirmed += 1;
    if (isError) return reply.message;
    if (reply === "cut") return reply;
    for (; this.#unconfirmed > 0; this.#unconfirmed--) this.ledger.answer(null);
    this.ledger.answer(isTick ? Number(reply) : null);
    return "";
  }
}

const clientsOf = (): readonly Client[] =>
  Array.from({ length: CLIENTS }, (_, n) => new Client(`c${n}`));

/** All of them write until the disk is full. */
async function fillUp(node: Daemon, clients: readonly Client[]): Promise<void> {
  const before = node.findAll("disk_trouble").length;
  await Promise.all(clients.map((client) => client.write(node.port)));
  const trouble = await until(() => node.findAll("disk_trouble")[before], {
    what: `the disk of ${node.name} to be full`,
  });
  expect(trouble["why"]).toContain("ENOSPC");
}

/** What is there is one moment's state, with all that was promised; it is where the clients go on. */
async function judge(
  node: Daemon,
  clients: readonly Client[],
  promise: "answered" | "written",
): Promise<void> {
  const keys = clients.flatMap(({ ledger }) => ledger.keys);
  const reply = await node.call("MGET", TICK_KEY, ...keys);
  const [tick, ...values] = (reply as (Buffer | null)[]).map((v) =>
    v === null ? null : textOf(v),
  );
  const found = new Map(keys.map((key, i) => [key, values[i] ?? null]));
  for (const client of clients) {
    const { ledger } = client;
    const floor = promise === "answered" ? ledger.answered : ledger.floor;
    expect(floor).toBeGreaterThan(0);
    expect(ledger.judge(found, Number(tick ?? 0), floor).fault).toBe("");
    client.adopt(found);
  }
}

async function persistence(node: Daemon, field: string): Promise<string> {
  const info = await (await node.client()).info("persistence");
  return info.text(field);
}

test.each([
  ["always", "answered"],
  ["everysec", "written"],
] as const)(
  "e2e: full disk: a primary, %s => MISCONF, reads and feeding go on; kill -9 loses nothing that was %s; room, and it goes on",
  async (policy, promise) => {
    const fleet = useFleet();
    const disk = await SmallDisk.mount(fleet, DISK_BYTES);
    disk.occupy(FILLER_BYTES);
    const flags = ["--dir", join(disk.path, "data"), "--fsync", policy];
    const primary = await fleet.primary(...flags);
    const replica = await fleet.replica(primary);
    const clients = clientsOf();
    const raising = raiseFloors(primary.port, clients);

    await fillUp(primary, clients);
    expect(String(await primary.ask("SET", "refused", "1"))).toContain("MISCONF");
    expect(await primary.call("EXISTS", "refused")).toBe(0);
    expect(await primary.call("STRLEN", clients[0]!.ledger.keys[1]!)).toBe(VALUE_BYTES);
    expect(await persistence(primary, "aof_last_write_status")).toBe("err");
    await converge([primary, replica]);
    await primary.kill();
    await raising;
    disk.occupyRest();

    // In the room of the reserve.
    const again = await fleet.primary(...portsOf(primary), ...flags);
    await judge(again, clients, promise);
    await converge([again, replica]);
    await fillUp(again, clients);
    disk.makeRoom();
    await until(() => again.find("disk_well_again"), { what: "the disk is well again" });
    expect(await persistence(again, "aof_last_write_status")).toBe("ok");
    const told = await Promise.all(clients.map((client) => client.write(again.port, 50)));
    expect(told).toEqual(clients.map(() => ""));
    await converge([again, replica]);
    expect((await again.stop()).code).toBe(0);

    const last = await fleet.primary(...portsOf(primary), ...flags);
    await judge(last, clients, "answered");
    await converge([last, replica]);
    const { counters } = await last.status();
    expect(count(counters, "sync_full")).toBe(0);
    expect(count(counters, "sync_partial_ok")).toBe(1);
  },
);

test("e2e: full disk: old log goes to make room => writes go on by themselves, and a restart has them", async () => {
  const fleet = useFleet();
  const disk = await SmallDisk.mount(fleet, DISK_BYTES);
  const flags = ["--dir", join(disk.path, "data"), "--fsync", "always"];
  const primary = await fleet.primary(...flags);
  const clients = clientsOf();
  await Promise.all(clients.map((client) => client.write(primary.port, 300)));
  await primary.call("SAVE");
  // More than the disk has, less than it has without what was before the checkpoint.
  const write = async (client: Client): Promise<void> => {
    for (let group = 0; group < 60; group++)
      await until(async () => (await client.write(primary.port, 10)) === "", { what: "room" });
  };
  await Promise.all(clients.map(write));
  expect(primary.find("disk_trouble")!["why"]).toContain("ENOSPC");
  expect(primary.find("disk_well_again")).toBeDefined();
  await primary.kill();
  const again = await fleet.primary(...portsOf(primary), ...flags);
  expect(Number(again.find("recovered")!["checkpoint"])).toBeGreaterThan(0);
  await judge(again, clients, "answered");
});

test("e2e: full disk: a replica => it takes no more, answers, keeps what it confirmed over kill -9, and goes on by partial resync", async () => {
  const fleet = useFleet();
  const disk = await SmallDisk.mount(fleet, DISK_BYTES);
  disk.occupy(FILLER_BYTES);
  const flags = ["--dir", join(disk.path, "data")];
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary, ...flags);
  await until(() => replica.find("checkpoint_done"), { what: "a log that counts" });
  const clients = clientsOf();
  let isFull = false;
  const write = async (client: Client): Promise<void> => {
    while (!isFull) expect(await client.write(primary.port, 20)).toBe("");
  };
  const writing = Promise.all(clients.map(write));
  const trouble = await until(() => replica.find("disk_trouble"), { what: "a full disk" });
  expect(trouble["why"]).toContain("ENOSPC");
  // The primary is none the worse for it.
  isFull = true;
  await writing;
  expect(await replica.call("STRLEN", clients[0]!.ledger.keys[1]!)).toBe(VALUE_BYTES);
  expect(replica.find("disk_well_again")).toBeUndefined();
  // What got into files is synced and confirmed all the same.
  const link = await until(
    async () => (await primary.status()).links.find(({ durable }) => durable > 0),
    { what: "the replica to confirm" },
  );
  await replica.kill();

  primary.pause();
  const again = await fleet.replica(primary, ...portsOf(replica), ...flags);
  expect((await again.status()).position.offset).toBeGreaterThanOrEqual(link.durable);
  expect(await again.call("STRLEN", clients[0]!.ledger.keys[1]!)).toBe(VALUE_BYTES);
  primary.resume();
  await until(() => again.find("disk_trouble"), { what: "the disk is full again" });
  disk.makeRoom();
  await until(() => again.find("disk_well_again"), { what: "the disk is well again" });
  await converge([primary, again]);
  expect(count((await again.status()).counters, "snapshots_restored")).toBe(0);
  const { counters } = await primary.status();
  expect(count(counters, "sync_full")).toBe(1);
  expect(count(counters, "sync_partial_ok")).toBe(1);
});
