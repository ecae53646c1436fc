/**
 * A process with one node, to be killed: `member.mjs KIND PLACE WRITERS JSON`, options of replicate().
 *
 *   stdout     a line of JSON for each: {port}; {wrote: [key, number]}, answered, and to be there after a kill;
 *              {resync: who}, a full sync began; {link: how}, a replica goes on in this way; {kept: true}, a
 *              replica has a state that outlives it; {rest: {content, position, counters}}
 *   SIGUSR2    it writes no more, and tells its rest
 *   SIGHUP     it writes again
 *
 * Writer number n writes 1, 2, 3 ... to the keys n and 100 + n in one call; the last one counts key 99 up. Each
 * deletes or writes some of the keys from 1000 on as well. A kind without a durability of its own promises what
 * durable() has said.
 */
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { openKind } from "./kinds.mjs";

const [kind, place, writerCount, options] = process.argv.slice(2);
const COUNTED = 99;
const TWIN = 100;
const OTHERS = 1000;
const OTHERS_COUNT = 200;

// One write of the kernel for each line: what was told is out when the process is killed.
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const keepsItself = kind !== "map" && kind !== "arena";
/** The newest number of each writer that is answered. */
const written = new Map();
let isResting = false;
/** Writers that are at work. */
let busy = 0;

const member = await openKind(kind, place, JSON.parse(options));
const { node } = member;
node.on("resync", ({ change, replicaId }) => {
  if (change === "began") tell({ resync: replicaId === "" ? "itself" : "a replica" });
});
node.on("link", ({ change, why }) => {
  if (change === "attached") tell({ link: why });
});

function answered(key, number) {
  if (keepsItself) tell({ wrote: [key, number] });
  else written.set(key, number);
}

const other = () => OTHERS + Math.floor(Math.random() * OTHERS_COUNT);

async function writeOnce(writer, number) {
  const pairs = [
    [writer, number],
    [TWIN + writer, number],
    ...(Math.random() < 0.3 ? [[other(), number]] : []),
  ];
  if (member.change !== null && Math.random() < 0.1) await member.change(pairs);
  else await member.put(pairs);
  answered(writer, number);
  if (Math.random() < 0.1) await member.remove(other());
}

const startOf = (content, key) =>
  Number(/\d+$/.exec(content.find((text) => new RegExp(`^\\D+${key}=`).test(text)) ?? "0")[0]);

/** Who is told that this node does not lead yet tries again. */
async function write(step) {
  for (;;) {
    if (isResting || node.role === "replica") {
      await sleep(5);
      continue;
    }
    busy += 1;
    try {
      await step();
    } catch (error) {
      if (error.code !== "ERR_READONLY") throw error;
      await sleep(5);
    } finally {
      busy -= 1;
    }
    if (!keepsItself) await turn();
    if (Math.random() < 0.25) await sleep(1);
  }
}

async function keep() {
  for (;;) {
    const now = [...written];
    if (now.length > 0 && node.position.offset > 0) {
      await turn();
      await member.node.durable();
      for (const wrote of now) tell({ wrote });
    }
    await sleep(20);
  }
}

process.on("SIGUSR2", async () => {
  isResting = true;
  while (busy > 0) await sleep(2);
  // What was written in this turn is in the position after it.
  await turn();
  const { position } = node;
  // A replica without a state throws.
  const content = await member.content().catch(() => null);
  const { counters } = node.status();
  // Nor is it at a position when it has gone on while it was read.
  const isStill = content !== null && node.position.offset === position.offset;
  tell({ rest: { content, position: isStill ? position : null, counters } });
});
process.on("SIGHUP", () => {
  isResting = false;
});
tell({ port: member.port });

const { of, dir } = JSON.parse(options);
if (of !== undefined) {
  await node.synced();
  if (dir !== undefined) await node.durable();
  tell({ kept: true });
}
const count = Number(writerCount);
if (count > 0) {
  await node.ready().catch(() => undefined);
  const begun = await member.content();
  for (let writer = 1; writer < count; writer++) {
    let number = startOf(begun, writer);
    void write(() => writeOnce(writer, (number += 1)));
  }
  void write(async () => answered(COUNTED, Number(await member.count(COUNTED))));
  if (!keepsItself) void keep();
}
