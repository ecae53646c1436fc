/** One question to a node: how long the answer is waited for. */
import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { ask } from "../../../src/daemon/ask.ts";

test("ask: a time limit beyond what a timer can wait => the answer is waited for", async () => {
  const server = createServer((socket) => {
    setTimeout(() => socket.end("$2\r\nhi\r\n"), 50);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const asked = { target: { host: "127.0.0.1", port }, password: "" };
  expect(await ask(asked, ["REPL.STATUS"], 2 ** 40)).toBe("hi");
  server.close();
});
