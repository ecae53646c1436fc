/** node.json over starts: incarnation, ranks, cluster, and the files that were there before it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Identity } from "../../../src/node/identity.ts";
import { changeNode, readNode, startNode } from "../../../src/node/node-file.ts";
import {
  newNode,
  type NodeKeeper,
  type NodeMemory,
  type Peer,
} from "../../../src/node/node-memory.ts";
import { UsageError } from "../../../src/node/option-values.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hawser-node-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const HISTORY = "ee".repeat(16);
const OTHER = "cc".repeat(16);

describe("starts", () => {
  test("the first => a new store, incarnation 1; each next one => the same store, one more", () => {
    const first = new Identity(dir);
    expect([first.incarnation, first.rebooted]).toEqual([1, false]);
    const second = new Identity(dir);
    expect([second.storeId, second.incarnation]).toEqual([first.storeId, 2]);
    expect(second.nodeId).not.toBe(first.nodeId);
    expect(readdirSync(dir)).toEqual(["node.json"]);
  });

  test("another boot id => rebooted", () => {
    startNode(dir);
    expect(startNode(dir).rebooted).toBe(false);
    changeNode(dir, { bootId: "another" });
    expect(new Identity(dir).rebooted).toBe(true);
  });

  test("the incarnation cannot be written => no start", () => {
    rmSync(dir, { recursive: true });
    expect(() => startNode(dir)).toThrow(UsageError);
    expect(() => startNode(dir)).toThrow(`${join(dir, "node.json")} cannot be written`);
  });

  test.each(["", "\n", '{"version":2}', "\0\0\0", '{"version":1,"storeId":"'])(
    "%j in node.json => an error that names the file, which stays as it is",
    (text) => {
      writeFileSync(join(dir, "node.json"), text);
      expect(() => new Identity(dir)).toThrow(`${join(dir, "node.json")} is damaged`);
      expect(() => changeNode(dir, { bootId: "" })).toThrow("is damaged");
      expect(readFileSync(join(dir, "node.json"), "utf8")).toBe(text);
    },
  );
});

describe("ranks and cluster", () => {
  test("a leader without a log on disk => each start has a higher term, in the same cluster", () => {
    const ranks = [1, 2, 3].map(() => {
      const identity = new Identity(dir);
      identity.found();
      return [identity.rank, identity.clusterId];
    });
    const { clusterId, led } = readNode(dir)!;
    expect(ranks.map(([rank]) => rank)).toEqual([1, 2, 3].map((term) => ({ term, run: 0 })));
    expect(new Set(ranks.map(([, cluster]) => cluster))).toEqual(new Set([clusterId]));
    expect(led).toEqual({ term: 3, run: 0 });
  });

  test("its own term on the disk => the next run; another's since => the next term", () => {
    const first = new Identity(dir);
    first.found();
    const { history, rank, lineage } = first;
    const second = new Identity(dir);
    second.adopt({ history, rank, lineage }, null);
    second.reopen({ next: 500, chain: 9 });
    expect([second.rank, readNode(dir)!.led]).toEqual([
      { term: 1, run: 1 },
      { term: 1, run: 1 },
    ]);
    expect(second.lineage).toEqual([{ history, left: 500, term: 1, run: 0 }]);
    const third = new Identity(dir);
    third.adopt({ history: HISTORY, rank: { term: 5, run: 2 }, lineage: [] }, OTHER);
    third.reopen({ next: 900, chain: 9 });
    expect([third.rank, third.clusterId]).toEqual([{ term: 6, run: 0 }, OTHER]);
  });

  test("a higher rank was promised => what begins is above it", () => {
    const first = new Identity(dir);
    first.found();
    const { history, rank, lineage } = first;
    changeNode(dir, { promised: { term: 9, run: 4 } });
    const second = new Identity(dir);
    second.adopt({ history, rank, lineage }, null);
    second.reopen({ next: 1, chain: 9 });
    expect(second.rank).toEqual({ term: 10, run: 0 });
  });

  test("another leads with a higher rank => what begins is above it, after a restart too", () => {
    const first = new Identity(dir);
    first.found();
    first.yieldTo({ term: 9, run: 4 });
    first.yieldTo({ term: 8, run: 0 });
    const second = new Identity(dir);
    second.promote({ next: 1, chain: 9 });
    expect(second.rank).toEqual({ term: 10, run: 0 });
  });

  test("who followed => remembered, written once however many come together", () => {
    const identity = new Identity(dir);
    const peer = (port: number): Peer => ({ storeId: OTHER, host: "h", port, awaited: true });
    identity.followedBy(peer(7));
    expect(identity.arePeersKept).toBe(false);
    identity.followedBy(peer(8));
    expect(readNode(dir)!.peers).toEqual([]);
    identity.keepPeers();
    expect(identity.arePeersKept).toBe(true);
    expect(readNode(dir)!.peers).toEqual([peer(8)]);
    const second = new Identity(dir);
    second.followedBy(peer(8));
    expect(second.arePeersKept).toBe(true);
    changeNode(dir, { peers: [] });
    second.keepPeers();
    expect(readNode(dir)!.peers).toEqual([]);
    const without = new Identity("");
    without.followedBy(peer(8));
    expect(without.arePeersKept).toBe(true);
  });

  test("who followed cannot be written => said, and written with the next try", () => {
    const troubles: string[] = [];
    let isFull = true;
    const written: Partial<NodeMemory>[] = [];
    const keeper: NodeKeeper = {
      start: () => ({ memory: newNode(OTHER), rebooted: false, wasComplete: false }),
      change: (change) => {
        if (isFull) throw new Error("no space");
        written.push(change);
      },
    };
    const identity = new Identity(keeper, undefined, (why) => troubles.push(why));
    identity.followedBy({ storeId: OTHER, host: "h", port: 7 });
    expect(identity.keepPeers()).toBe(false);
    expect(troubles).toEqual(["no space"]);
    isFull = false;
    expect(identity.keepPeers()).toBe(true);
    expect(written).toEqual([{ peers: [{ storeId: OTHER, host: "h", port: 7, awaited: true }] }]);
    expect(identity.keepPeers()).toBe(true);
    expect(written).toHaveLength(1);
  });

  test("who is not awaited comes back => written before it is told so", () => {
    const peer: Peer = { storeId: OTHER, host: "h", port: 7, awaited: true };
    changeNode(dir, { peers: [peer] });
    const first = new Identity(dir);
    expect(first.awaits(OTHER)).toBe(true);
    first.release([OTHER]);
    expect([first.awaits(OTHER), readNode(dir)!.peers]).toEqual([
      false,
      [{ ...peer, awaited: false }],
    ]);
    const second = new Identity(dir);
    second.followedBy(peer);
    expect(second.arePeersKept).toBe(true);
    expect(readNode(dir)!.peers).toEqual([peer]);
  });

  test("the cluster of the first sync => remembered", () => {
    new Identity(dir).adopt({ history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] }, OTHER);
    expect(new Identity(dir).clusterId).toBe(OTHER);
  });

  test("it cannot be kept => the owner hears why", () => {
    const told: string[] = [];
    const identity = new Identity(dir, undefined, (why) => told.push(why));
    rmSync(dir, { recursive: true });
    identity.promote({ next: 0, chain: 9 });
    expect(told).toEqual([expect.stringContaining("ENOENT")]);
  });
});

describe("files of an older version", () => {
  const ROLE = '{"version":1,"role":"replica","upstream":{"host":"h","port":7}}';

  test("replica-id and role.json => taken over once, then removed", () => {
    writeFileSync(join(dir, "replica-id"), `${OTHER}\n`);
    writeFileSync(join(dir, "role.json"), ROLE);
    expect(new Identity(dir).storeId).toBe(OTHER);
    expect(readNode(dir)!.role).toEqual({ role: "replica", upstream: { host: "h", port: 7 } });
    expect(readdirSync(dir)).toEqual(["node.json"]);
  });

  test("a crash before they were removed => node.json counts, and they go", () => {
    const { storeId } = new Identity(dir);
    writeFileSync(join(dir, "replica-id"), `${OTHER}\n`);
    expect(new Identity(dir).storeId).toBe(storeId);
    expect(readdirSync(dir)).toEqual(["node.json"]);
  });

  test.each([
    ["replica-id", "", "holds nothing"],
    ["replica-id", "0123456789abcdef", 'holds "0123456789abcdef"'],
    ["replica-id", "x".repeat(4000), 'holds "xxxx'],
    ["replica-id", "\x1b[31m\n\x07", 'holds "\\u001b[31m'],
    ["role.json", '{"version":1,"role":"replica"}', "is damaged: upstream is no object"],
  ])("%s is %j => an error that names the file, and it stays", (name, text, found) => {
    writeFileSync(join(dir, name), text);
    expect(() => new Identity(dir)).toThrow(`${join(dir, name)} ${found}`);
    expect(readdirSync(dir)).toEqual([name]);
  });
});
