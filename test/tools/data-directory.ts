/** Data directories of e2e tests: made and removed, and what their newest log file holds. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { decodeLogHead, LOG_HEAD_BYTES_MAX } from "../../src/log/disk/frames.ts";
import { LogFileScan } from "../../src/log/disk/log-file-scan.ts";
import { FsFolder } from "../../src/node/disk/fs-folder.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";

/** Empty; removed with the fleet. */
export function directory(fleet: Fleet): string {
  const dir = mkdtempSync(join(tmpdir(), "hawser-e2e-"));
  fleet.defer(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Flags for a process that comes back where this one was. */
export const portsOf = ({ port, replPort }: Daemon): string[] => [
  ...["--port", String(port)],
  ...["--repl-port", String(replPort)],
];

/** Path of the newest log file of the first generation. */
export function newestLog(dir: string): string {
  const folder = join(dir, "generation-00000001");
  const names = readdirSync(folder).filter((each) => each.endsWith(".log"));
  return join(folder, names.sort().at(-1)!);
}

/** Bytes of a log file that are proven to be synced, and where its frames end. */
export function marksOf(path: string): { readonly synced: number; readonly end: number } {
  const file = new FsFolder(dirname(path)).open(basename(path));
  const head = Buffer.alloc(LOG_HEAD_BYTES_MAX);
  file.read(head, 0, head.length, 0);
  const read = decodeLogHead(head);
  const sink = { batchHead: () => {}, batchBytes: () => {}, batchEnd: () => {} };
  const scan = new LogFileScan(file, read.head, read.bytes, sink);
  while (scan.step());
  file.close();
  return { synced: Math.max(scan.syncedAt, read.bytes), end: scan.fileAt };
}
