/**
 * A port that nobody listens on, for a process that a bench starts.
 *
 * Below those that the system gives to connections (32768 and above): a connection that came between the
 * look and the start would have the port, and the process would end with EADDRINUSE.
 */
import { createServer } from "node:net";

const FIRST = 20_000;
const COUNT = 12_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => {
      server.close(() => resolve(true));
    });
  });
}
