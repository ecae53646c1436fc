/**
 * A session store that several web processes share, in which each visitor reads what they wrote, whichever
 * process answers.
 *
 *   visitor --request--> one of the web processes        a replica: reads from its own memory
 *                           | "write this"    ^ position
 *                           v                 |
 *                        the first process               the primary: all writes
 *
 * A write is answered with the position behind it, which the visitor keeps in a cookie. Who gets the next
 * request waits until its replica has reached that, which is most often already so.
 *
 *   node examples/sessions.mjs
 */
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer, get } from "node:http";
import { Primary, Replica } from "hawser";

const PROCESSES = 3;
const SESSION_MS = 30 * 60_000;

// --- the first process: the primary, and visitors to try it with -----------------------------------

async function main() {
  const primary = await Primary.open();
  const port = await startWeb(primary);
  const answeredBy = new Set();
  let cookie = "";
  for (let visit = 1; visit <= 30; visit++) {
    const { body, headers } = await request(port, cookie);
    const { visits, by } = JSON.parse(body);
    if (visits !== visit) throw new Error(`visit ${visit} was counted as ${visits}`);
    cookie = headers["set-cookie"].map((each) => each.split(";")[0]).join("; ");
    answeredBy.add(by);
  }
  console.log(`30 visits, counted one by one by ${answeredBy.size} processes`);
  for (const worker of Object.values(cluster.workers)) worker.send("end");
  while (Object.keys(cluster.workers).length > 0) await once(cluster, "exit");
  await primary.close();
}

async function startWeb(primary) {
  const ready = [];
  for (let n = 0; n < PROCESSES; n++) {
    const worker = cluster.fork({ REPL_PORT: primary.replPort });
    worker.on("message", ({ call, key, value }) => {
      if (call === undefined) return;
      primary.set(key, value, { expireAt: Date.now() + SESSION_MS });
      worker.send({ call, at: primary.written });
    });
    ready.push(once(worker, "message"));
  }
  const [[{ port }]] = await Promise.all(ready);
  return port;
}

/** One request over a connection of its own: the processes take them in turn. */
async function request(port, cookie) {
  const [response] = await once(get({ port, agent: false, headers: { cookie } }), "response");
  let body = "";
  for await (const text of response.setEncoding("utf8")) body += text;
  return { body, headers: response.headers };
}

// --- a web process ---------------------------------------------------------------------------------

async function serve() {
  const replica = await Replica.open({ of: `127.0.0.1:${process.env.REPL_PORT}` });
  await replica.synced();
  const calls = new Map();
  const server = createServer((request, response) => {
    answer(replica, calls, request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  });
  server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
  process.on("message", (told) => {
    if (told !== "end") {
      calls.get(told.call)(told.at);
      calls.delete(told.call);
      return;
    }
    server.close();
    replica.close().then(() => process.disconnect());
  });
}

async function answer(replica, calls, request, response) {
  const { id = crypto.randomUUID(), at } = cookiesOf(request);
  // Read your writes: the position comes from the visitor's last answer.
  if (at !== undefined) await replica.reached(positionOf(at), { timeoutMs: 2000 });
  const session = JSON.parse(replica.get(`session:${id}`) ?? '{ "visits": 0 }');
  session.visits++;
  const end = await write(calls, `session:${id}`, JSON.stringify(session));
  response.setHeader("set-cookie", [`id=${id}`, `at=${end.history}.${end.offset}`]);
  response.end(JSON.stringify({ visits: session.visits, by: process.pid }));
}

/** @returns the position behind the write */
function write(calls, key, value) {
  const call = crypto.randomUUID();
  process.send({ call, key, value });
  return new Promise((resolve) => calls.set(call, resolve));
}

function cookiesOf(request) {
  const pairs = (request.headers.cookie ?? "").split("; ").filter((pair) => pair !== "");
  return Object.fromEntries(pairs.map((pair) => pair.split("=")));
}

/** What a visitor sends may be anything: reached() refuses what is no position. */
function positionOf(text) {
  const [history, offset] = text.split(".");
  return { history, offset: Number(offset) };
}

if (cluster.isPrimary) await main();
else await serve();
