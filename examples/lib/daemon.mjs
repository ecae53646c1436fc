/**
 * A daemon to try an example with: `hawser primary` on free ports, and a client of it.
 * Real programs have a client library for that, as ioredis.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

const { resolve } = createRequire(import.meta.url);
const MAIN = join(dirname(resolve("hawser/package.json")), "dist/daemon/main.js");

/** @returns its client port, and how it is stopped */
export async function startDaemon() {
  const args = [MAIN, "primary", "--port", "0", "--repl-port", "0", "--log-format", "json"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface(child.stderr)) {
    const { event, port } = JSON.parse(line);
    if (event !== "ready") continue;
    child.stderr.resume();
    return {
      port,
      async stop() {
        child.kill();
        await once(child, "exit");
      },
    };
  }
  throw new Error("the daemon did not start");
}

/** Sends commands as one types them, "set greeting hello". @returns the replies, when all are there */
export async function commands(port, ...lines) {
  const socket = connect(port, "127.0.0.1");
  const replies = createInterface(socket)[Symbol.asyncIterator]();
  const told = [];
  for (const line of lines) {
    socket.write(`${line}\r\n`);
    told.push((await replies.next()).value);
  }
  socket.destroy();
  return told;
}
