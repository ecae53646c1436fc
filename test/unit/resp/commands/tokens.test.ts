/** REPL.TOKEN and REPL.WAIT: what is told, and how a wait ends. */
import { describe, expect, test } from "vitest";
import { FakeClient, FakePort, request } from "../fake-node.ts";

const HISTORY = "3".repeat(32);
const NEWER = { history: "4".repeat(32), rank: { term: 3, run: 0 } };

function open(): { port: FakePort; client: FakeClient } {
  const port = new FakePort();
  return { port, client: new FakeClient(port) };
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

describe("REPL.TOKEN", () => {
  test("a connection that wrote => where its write ends; one that did not => where the node is", () => {
    const { port, client } = open();
    const other = new FakeClient(port, 2);
    client.call("SET", "a", "1");
    const mine = port.node.log.tail;
    other.call("SET", "b", "1");
    const all = port.node.log.tail;
    expect(all).toBeGreaterThan(mine);
    expect(client.call("REPL.TOKEN")).toBe(bulk(`${HISTORY}-2-0-${mine}`));
    expect(new FakeClient(port, 3).call("REPL.TOKEN")).toBe(bulk(`${HISTORY}-2-0-${all}`));
  });

  test("the write led to this log => named in its own history; it is in it no more => LOST", () => {
    const { port, client } = open();
    client.call("SET", "a", "1");
    const mine = port.node.log.tail;
    const left = (at: number) => ({
      ...NEWER,
      lineage: [{ history: HISTORY, left: at, term: 2, run: 0 }],
    });
    port.node.identity = left(mine);
    expect(client.call("REPL.TOKEN")).toBe(bulk(`${HISTORY}-2-0-${mine}`));
    port.node.identity = left(mine - 1);
    expect(client.call("REPL.TOKEN")).toMatch(/^-LOST what this connection wrote last /);
  });

  test("in MULTI => refused, since EXEC has written nothing yet; without a state => LOADING", () => {
    const { port, client } = open();
    client.call("MULTI");
    expect(client.call("REPL.TOKEN")).toBe("-ERR Command not allowed inside a transaction\r\n");
    client.call("DISCARD");
    port.node.loading = true;
    expect(client.call("REPL.TOKEN")).toMatch(/^-LOADING /);
  });
});

describe("REPL.WAIT", () => {
  test.each(["", "x", `${HISTORY}-2-0`, `${HISTORY}-2-0-${"1".repeat(90)}`])(
    "%j => no token",
    (text) => {
      expect(open().client.call("REPL.WAIT", text, "0")).toMatch(/^-ERR token is '/);
    },
  );

  test.each(["-1", "x", ""])("time %j => redis's words", (ms) => {
    expect(open().client.call("REPL.WAIT", `${HISTORY}-2-0-0`, ms)).toMatch(/^-ERR timeout is /);
  });

  test("it is here => OK at once; it is not => when it is, and others run meanwhile", () => {
    const { port, client } = open();
    const { node } = port;
    new FakeClient(port, 2).call("SET", "a", "1");
    const at = node.log.tail;
    expect(client.call("REPL.WAIT", `${HISTORY}-2-0-${at}`, "0")).toBe("+OK\r\n");
    expect(client.call("REPL.WAIT", `${HISTORY}-2-0-${at + 1}`, "0")).toBe("");
    node.turn.tell();
    expect([client.taken(), node.turn.waits.size]).toEqual(["", 1]);
    new FakeClient(port, 2).call("SET", "b", "1");
    node.turn.tell();
    expect([client.taken(), node.turn.waits.size]).toEqual(["+OK\r\n", 0]);
  });

  test("a replica of which nothing is applied yet waits, also while it loads", () => {
    const { port, client } = open();
    port.node.role = "replica";
    port.node.loading = true;
    expect(client.call("REPL.WAIT", `${NEWER.history}-3-0-5`, "0")).toBe("");
    expect(port.node.turn.waits.size).toBe(1);
  });

  test("the node's log goes on from before it => LOST, also in the middle of a wait; a change that keeps it => it waits on", () => {
    const { port, client } = open();
    const { node } = port;
    const wait = request("REPL.WAIT", `${HISTORY}-2-0-50`, "0");
    expect(client.send(wait)).toBe("");
    node.identity = { ...NEWER, lineage: [{ history: HISTORY, left: 60, term: 2, run: 0 }] };
    node.turn.tell();
    expect([client.taken(), node.turn.waits.size]).toEqual(["", 1]);
    node.identity = { ...NEWER, lineage: [{ history: HISTORY, left: 49, term: 2, run: 0 }] };
    node.turn.tell();
    const lost =
      /^-LOST 50 of history 3{32} is not here and never will be: this node's log left that history at 49\r\n$/;
    expect(client.taken()).toMatch(lost);
    expect(client.send(wait)).toMatch(lost);
    node.identity = { ...NEWER, lineage: [] };
    expect(client.send(wait)).toMatch(
      /^-LOST .* is led by a higher rank, does not come from it\r\n$/,
    );
    expect(client.ended).toBe(false);
  });

  test("the time is over, or in MULTI => TIMEOUT, which says where the node is", async () => {
    const { port, client } = open();
    const timeout =
      /^-TIMEOUT this node has applied 0 of history 3{32}, and not 50 of 3{32} within 1 ms\r\n$/;
    expect(client.call("REPL.WAIT", `${HISTORY}-2-0-50`, "1")).toBe("");
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    port.node.turn.tell();
    expect(client.taken()).toMatch(timeout);
    client.call("MULTI");
    client.call("REPL.WAIT", `${HISTORY}-2-0-50`, "0");
    expect(client.call("EXEC")).toMatch(/^\*1\r\n-TIMEOUT /);
    expect(port.node.turn.waits.size).toBe(0);
  });

  test("the client goes away => nothing of it is left", () => {
    const { port, client } = open();
    client.call("REPL.WAIT", `${HISTORY}-2-0-50`, "0");
    client.client.close();
    expect(port.node.turn.waits.size).toBe(0);
  });
});
