#!/usr/bin/env node
/**
 * The `hawser` command: reads the command line, runs a node until a signal, or asks one for its status,
 * to verify its replicas, for a checkpoint, to hand over, or who its members are.
 *
 * Exit codes: 0 stopped (status: all right, verify: all equal), 1 failed, 2 wrong command line,
 * 3 status: degraded.
 * Owns: process, signals, exit. Does not own: options (options.ts), the node (node.ts), clients.
 * Tested in: test/e2e/processes.test.ts, test/e2e/stopping.test.ts.
 */
import { readFileSync } from "node:fs";
import { ClientServer } from "../resp/client-server.ts";
import { runBackup } from "./backup.ts";
import { runCheckpoint } from "./checkpoint.ts";
import { readCommandLine, type CommandLine } from "./command-line.ts";
import { helpText } from "./help.ts";
import { runMembers } from "./members.ts";
import { runInspect } from "./inspect.ts";
import { Housekeeping } from "../node/housekeeping.ts";
import { endWithoutReader, surviveLostReaders } from "./lost-readers.ts";
import { LogStream } from "./log-stream.ts";
import { createLogger, type Logger } from "../node/logger.ts";
import { foldStrangers } from "../node/stranger-log.ts";
import { DiskError, wordsOf } from "../errors.ts";
import { createNode, type DaemonNode } from "../node/node.ts";
import type { StopSave } from "../node/checkpointer.ts";
import { lastCheckpointMs } from "../node/last-checkpoint.ts";
import { UsageError } from "../node/option-values.ts";
import type { NodeOptions } from "../node/options.ts";
import { endAtLeisure, endNow, poolIdle } from "./process-end.ts";
import { ProgressTerminal } from "./progress.ts";
import { runRestore } from "./restore.ts";
import { runStatus } from "./status.ts";
import { runSwitchover } from "./switchover.ts";
import { runVerify } from "./verify.ts";
import { VERSION } from "../version.ts";

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
/** Longest wait for a clean stop, beside its checkpoint; then the process ends anyway. */
const STOP_MS_MAX = 10_000;

async function main(): Promise<void> {
  surviveLostReaders();
  const line = readArguments();
  switch (line.kind) {
    case "help":
      process.stdout.write(helpText(line.topic));
      return;
    case "version":
      process.stdout.write(`hawser ${VERSION}\n`);
      return;
    case "status":
      endWithoutReader(EXIT.ok);
      endAtLeisure(await runStatus(line.options));
      return;
    case "verify":
      endAtLeisure(await runVerify(line.options));
      return;
    case "checkpoint":
      endAtLeisure(await runCheckpoint(line.options));
      return;
    case "switchover":
      endAtLeisure(await runSwitchover(line.options));
      return;
    case "members":
      endAtLeisure(await runMembers(line.options));
      return;
    case "backup":
      endAtLeisure(await runBackup(line.options));
      return;
    case "inspect":
      endWithoutReader(EXIT.ok);
      endAtLeisure(runInspect(line.options));
      return;
    case "restore":
      endAtLeisure(runRestore(line.options));
      return;
    case "node":
      await runNode(line.options, line.warnings);
      return;
    default:
      line satisfies never;
  }
}

function readArguments(): CommandLine {
  try {
    return readCommandLine(process.argv.slice(2), process.env, (path) =>
      readFileSync(path, "utf8"),
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`hawser: ${error.message}\n`);
    process.exit(EXIT.usage);
  }
}

async function runNode(options: NodeOptions, warnings: readonly string[]): Promise<void> {
  const terminal = new ProgressTerminal(
    new LogStream(process.stderr, (lines) => log.warn("log_lines_lost", { lines })),
  );
  const log = foldStrangers(
    createLogger({
      level: options.logLevel,
      format: options.logFormat,
      colour: options.logFormat === "pretty" && process.stderr.isTTY,
      sink: (text) => terminal.log(text),
    }),
  );
  dieLoudly(log);
  for (const variable of warnings) log.warn("unknown_variable", { variable });
  const node = openNode(options, log);
  let stop: (save: StopSave) => void = () => process.exit(EXIT.ok);
  node.onDiskFailed = (trouble) => {
    // Why at once: what was answered before is proven, and nothing after it can be.
    log.error("stopped", { clean: false, why: trouble.message });
    endNow(EXIT.failed);
  };
  const clients = new ClientServer(node, log, (save) => stop(save));
  node.core.onFenced = () => clients.endClients();
  const housekeeping = new Housekeeping(clients.context);
  stop = onceStopped(log, node, clients, housekeeping);
  process.on("SIGTERM", () => stop("auto"));
  process.on("SIGINT", () => stop("auto"));
  ignoreSignals(log);
  try {
    // Replicas and upstreams are told the client port, so it comes first.
    const port = await clients.listen(options.port, options.bind);
    node.announceClientPort(port);
    if (process.stderr.isTTY) terminal.recovery(node);
    await node.open();
    const replPort = await node.listen();
    log.info("ready", { port, replPort, role: node.role, pid: process.pid, version: VERSION });
  } catch (error) {
    // A signal came first: who stops the node ends the process.
    if (node.isStopped) return;
    const event = error instanceof DiskError ? "cannot_recover" : "cannot_listen";
    log.error(event, { message: wordsOf(error) });
    process.exit(EXIT.failed);
  }
  housekeeping.start();
  if (process.stderr.isTTY) terminal.follow(node);
}

/** A --dir that cannot be used is a wrong command line; one that another process has is not. */
function openNode(options: NodeOptions, log: Logger): DaemonNode {
  try {
    return createNode(options, log);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof DiskError)) throw error;
    process.stderr.write(`hawser: ${error.message}\n`);
    process.exit(error instanceof UsageError ? EXIT.usage : EXIT.failed);
  }
}

/** Signals that would end the process by default, or open its debugger, and that mean nothing here. */
function ignoreSignals(log: Logger): void {
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const)
    process.on(signal, () => log.info("signal_ignored", { signal }));
}

/** SIGTERM, SIGINT and SHUTDOWN: stop once; a second time means now. */
function onceStopped(
  log: Logger,
  node: DaemonNode,
  clients: ClientServer,
  housekeeping: Housekeeping,
): (save: StopSave) => void {
  let stopping = false;
  return (save) => {
    if (stopping) {
      log.warn("stopped", { clean: false, why: "told twice" });
      endNow(EXIT.failed);
    }
    stopping = true;
    log.info("stopping");
    const mostMs = STOP_MS_MAX + lastCheckpointMs(save, node.settings.stopCheckpointMs);
    setTimeout(() => {
      log.warn("stopped", { clean: false, why: `not done within ${mostMs} ms` });
      endNow(EXIT.ok);
    }, mostMs + 1000).unref();
    housekeeping.stop();
    // Clients go in a turn of its own: SHUTDOWN runs inside one of them.
    setImmediate(() => {
      void Promise.all([node.stop(save), clients.close()]).then(
        async ([clean]) => {
          await poolIdle();
          if (clean) log.info("stopped", { clean });
          else log.warn("stopped", { clean, why: "a replica lacks something" });
          endNow(EXIT.ok);
        },
        (error: unknown) => {
          log.error("stop_failed", { message: String(error) });
          endNow(EXIT.failed);
        },
      );
    });
  };
}

/** A programmer's error must end the process: its state is not to be trusted. */
function dieLoudly(log: Logger): void {
  const die = (error: unknown): void => {
    log.error("crashed", {
      message: wordsOf(error),
      stack: error instanceof Error ? (error.stack ?? "") : "",
    });
    endNow(EXIT.failed);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}

await main();
