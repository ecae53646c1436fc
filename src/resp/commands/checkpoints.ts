/**
 * Checkpoints as clients see them: redis's SAVE, BGSAVE and LASTSAVE, and our own REPL.CHECKPOINT, which
 * is SAVE with an answer that says where and how much.
 *
 * Owns: arguments and replies. Does not own: checkpoints (node/checkpointer.ts).
 * Tested in: test/unit/resp/checkpoints.test.ts.
 */
import type { CheckpointRefusal } from "../../node/checkpointer.ts";
import type { CheckpointEntry } from "../../log/disk/manifest.ts";
import type { Call } from "../context.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";

export const CHECKPOINT_COMMANDS: readonly Command[] = [
  row("save", 1, "admin noscript no_async_loading no_multi", NO_KEYS, save),
  row("bgsave", -1, "admin noscript no_async_loading", NO_KEYS, bgsave),
  row("lastsave", 1, "loading stale fast", NO_KEYS, lastsave),
  row("repl.checkpoint", 1, "admin noscript no_async_loading no_multi", NO_KEYS, replCheckpoint),
];

const NO_DISK = "ERR this node keeps no log on disk: start it with --dir";

const REFUSALS: Readonly<Record<CheckpointRefusal, string>> = {
  busy: "ERR Background save already in progress",
  stopping: "ERR this node is shutting down",
  no_state: "ERR this node has no whole state to save",
};

function save(call: Call): void {
  waitForCheckpoint(call, (reply) => {
    reply.ok();
  });
}

/** REPL.CHECKPOINT: a checkpoint, as JSON once the manifest names it. */
function replCheckpoint(call: Call): void {
  const beganMs = performance.now();
  waitForCheckpoint(call, (reply, { position, records, bytes }) => {
    const ms = Math.round(performance.now() - beganMs);
    reply.bulkText(JSON.stringify({ position, records, bytes, ms }));
  });
}

function waitForCheckpoint(
  { client, port, reply }: Call,
  write: (reply: ReplyWriter, entry: CheckpointEntry) => void,
): void {
  const { checkpoints } = port.node;
  if (checkpoints === null) {
    reply.error(NO_DISK);
    return;
  }
  client.block((done) => {
    let isWanted = true;
    const refusal = checkpoints.ask((why, entry) => {
      if (!isWanted) return;
      done((later) => {
        if (entry === null) later.error(`ERR ${why}`);
        else write(later, entry);
      });
    });
    if (refusal !== null)
      done((later) => {
        later.error(REFUSALS[refusal]);
      });
    // A checkpoint that was asked for is written, whoever is there to hear of it.
    return () => {
      isWanted = false;
    };
  });
}

/** BGSAVE [SCHEDULE]: nothing here has to wait for a rewrite of anything, so SCHEDULE changes nothing. */
function bgsave({ args, port, reply }: Call): void {
  if (args.count > 2 || (args.count === 2 && !args.is(1, "SCHEDULE"))) {
    reply.error(ERR.syntax);
    return;
  }
  const { checkpoints } = port.node;
  const refusal = checkpoints?.ask(() => undefined) ?? null;
  if (checkpoints === null) reply.error(NO_DISK);
  else if (refusal !== null) reply.error(REFUSALS[refusal]);
  else reply.simple("Background saving started");
}

/** Seconds since 1970 of the newest checkpoint, 0 before the first. */
function lastsave({ port, reply }: Call): void {
  reply.integer(Math.floor((port.node.checkpoints?.status.newest?.clockMs ?? 0) / 1000));
}
