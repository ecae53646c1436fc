/**
 * Nobody looks again and again whether something has happened: who waits is told. Every timer of the
 * product is here with its reason; a new one needs one.
 */
import { expect, test } from "vitest";
import { filesUnder, readText } from "./documents.ts";

const REASONS: Readonly<Record<string, string>> = {
  // Clocks: time passes by itself.
  "src/node/replication-port.ts": "clocks of links ten times a second; the longest wait of a stop",
  "src/node/upstream-socket.ts": "clocks of a session ten times a second",
  "src/node/housekeeping.ts": "slices of expiry and tidying, with pauses between",
  "src/node/stranger-log.ts": "one more line each second",
  "src/node/loop-turns.ts": "the one clock of the turn: queued ships, ship rate, paced writers",
  "src/daemon/backup.ts": "draws a line while a copy is taken",
  "src/daemon/progress.ts": "draws a line while a full sync goes on",
  "src/daemon/status.ts": "--watch shows the status again each second",
  // Limits: so long and no longer.
  "src/embed/queue-limits.ts": "the time limit of a write that waits for its turn",
  "src/embed/replicated-node.ts": "close() says after a while what holds it up",
  "src/node/await-turn.ts": "the time limit of whoever waits to be told",
  "src/embed/waits.ts": "the time limit of an embedder's wait",
  "src/node/last-checkpoint.ts": "the longest time of a checkpoint at a stop",
  "src/threads.ts": "the longest time for a worker to say hello",
  "src/net/dial.ts": "the longest time until a connection is ready",
  "src/net/lingering.ts": "the longest time for the other end to close",
  "src/conformance/index.ts": "the longest time of a check",
  "src/conformance/trial.ts": "the longest time for a state to end",
  "src/resp/client-server.ts":
    "the longest time for clients that are sent away to take their replies",
  "src/resp/joined-replies.ts": "the longest time that a reply waits for the answer behind it",
  "src/daemon/ask.ts": "the longest time for an answer",
  "src/daemon/main.ts": "the longest time of a stop",
  // Pauses.
  "src/conformance/checks/staging.ts": "what a state does in the background is watched a while",
  "src/conformance/crash.ts": "a process is killed at a drawn moment",
  "src/conformance/crash-child.ts": "a state that never yields does not hide the process's end",
  "src/node/node.ts":
    "seeding asks its sources again after a second: other nodes, which tell nobody",
  "src/embed/open.ts": "close() lets the turn of the last write end",
  "src/embed/key-reader.ts": "a walk over keys lets others have a turn after each slice",
  // What nobody tells of.
  "src/daemon/verify.ts": "another node's offset, asked over the client port",
  "src/daemon/members.ts": "whether a change is confirmed, asked over the client port",
  "src/daemon/switchover.ts": "how far a failover is, asked over the client port",
  "src/daemon/process-end.ts": "Node does not say when its pool of threads is idle",
};

/** Timers of Node, by any of the names that they are given here; not a socket's own. */
const TIMER = /(?<!\.)\b(?:setTimeout|setInterval)\b|node:timers/;

test("timers: every file that has one is here with its reason, and no other", () => {
  const found = filesUnder("src").filter((path) => {
    const code = readText(path).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    return TIMER.test(code);
  });
  expect(found.sort()).toEqual(Object.keys(REASONS).sort());
});
