/**
 * A replica in a worker thread: what reads much, here a sum over all accounts, does not hold the loop of
 * the thread that writes. The thread follows like any other process, over a socket.
 *
 *   node examples/replica-in-a-thread.mjs
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Primary, Replica } from "hawser";

const ACCOUNTS = 10_000;

async function main() {
  const primary = await Primary.open();
  for (let n = 0; n < ACCOUNTS; n++) primary.set(`account:${n}`, String(n));
  const thread = new Worker(new URL(import.meta.url), { workerData: primary.replPort });
  const [{ total, size }] = await once(thread, "message");
  console.log(`${size} accounts, ${total} in all`);

  primary.set("account:0", "1000"); // The thread has it as soon as it is applied there.
  await primary.waitForReplicas(1);
  thread.postMessage("sum");
  const [later] = await once(thread, "message");
  console.log(`${later.size} accounts, ${later.total} in all`);

  thread.postMessage("end");
  await once(thread, "exit");
  await primary.close();
}

async function follow(replPort) {
  const replica = await Replica.open({ of: `127.0.0.1:${replPort}` });
  await replica.synced();
  const sum = () => {
    let total = 0;
    for (let n = 0; n < ACCOUNTS; n++) total += Number(replica.get(`account:${n}`));
    parentPort.postMessage({ total, size: replica.size });
  };
  parentPort.on("message", async (told) => {
    if (told === "sum") sum();
    else {
      parentPort.close();
      await replica.close();
    }
  });
  sum();
}

if (isMainThread) await main();
else await follow(workerData);
