/** The shell of the replication port against real sockets. */
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { writeQueueBytes } from "../../../src/node/replication-port.ts";
import { until } from "../../../tools/wait.ts";

const PIECE_BYTES = 64 * 1024 * 1024;

test("a socket shows how much of one large piece the kernel has taken, before all is", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sender = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [reader] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => {
    for (const each of [sender, reader]) each.destroy();
    server.close();
  });
  expect(writeQueueBytes(sender)).toBe(0);
  reader.pause();
  let taken = false;
  sender.write(Buffer.alloc(PIECE_BYTES), () => (taken = true));
  await until(() => writeQueueBytes(sender) < PIECE_BYTES && writeQueueBytes(sender) > 0, {
    what: "the kernel to take a part",
  });
  const before = writeQueueBytes(sender);
  let read = 0;
  reader.on("data", (bytes: Buffer) => {
    read += bytes.length;
    if (read > PIECE_BYTES / 4 && !taken) reader.pause();
  });
  // Why: a paused socket does not begin by itself when somebody listens.
  reader.resume();
  await until(() => writeQueueBytes(sender) < before, { what: "more of it to be taken" });
  expect(taken).toBe(false);
  reader.removeAllListeners("data");
  reader.resume();
  await until(() => taken, { what: "all of it to be taken" });
  sender.destroy();
  expect(writeQueueBytes(sender)).toBe(0);
});
