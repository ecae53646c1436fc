/**
 * A read replica of a daemon behind an HTTP handler: GET /?key=NAME is answered from the memory of this process,
 * without a network, and goes on being answered while the daemon is away.
 *
 *   node examples/http-replica.mjs                  with a daemon of its own, one write and two requests
 *   node examples/http-replica.mjs HOST:PORT 8080   follows that node, and serves on that port
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { Replica } from "hawser";
import { commands, startDaemon } from "./lib/daemon.mjs";

/** @param of  HOST:PORT of a daemon's client port, or of its replication port */
async function serve(of, port) {
  const replica = await Replica.open({ of });
  await replica.synced();
  const server = createServer((request, response) => {
    const key = new URLSearchParams(request.url.split("?")[1]).get("key");
    const value = key === null ? null : replica.get(key);
    response.setHeader("x-offset", replica.position.offset); // How far this replica is.
    if (value === null) response.writeHead(404).end();
    else response.end(value);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    replica,
    async close() {
      server.close();
      server.closeAllConnections();
      await replica.close();
    },
  };
}

async function tryIt() {
  const daemon = await startDaemon();
  const served = await serve(`127.0.0.1:${daemon.port}`, 0);
  await commands(daemon.port, "set greeting hello", "wait 1 5000"); // Until the replica has it.
  const ask = (key) => fetch(`${served.url}/?key=${key}`);
  console.log("greeting:", await (await ask("greeting")).text());
  await daemon.stop();
  console.log("without the daemon:", await (await ask("greeting")).text());
  console.log("nothing:", (await ask("nothing")).status);
  await served.close();
}

const [of, port = "8080"] = process.argv.slice(2);
if (of === undefined) await tryIt();
else console.log("serving", (await serve(of, Number(port))).url);
