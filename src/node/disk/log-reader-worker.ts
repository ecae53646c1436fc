/**
 * The reader thread: reads log files for links that are behind memory (log/disk/stored-log.ts).
 * Tested in: test/unit/node/disk/log-reader-thread.test.ts.
 */
import { parentPort } from "node:worker_threads";
import { StoredLog, type ToStoredLog } from "../../log/disk/stored-log.ts";
import { FsFolder } from "./fs-folder.ts";

const port = parentPort!;

export function runLogReader(): void {
  const log = new StoredLog({
    folder: (path) => new FsFolder(path),
    tell: (message) => {
      port.postMessage(message);
    },
  });
  port.on("message", (message: ToStoredLog | { readonly kind: "stop" }) => {
    if (message.kind !== "stop") {
      log.hear(message);
      return;
    }
    log.close();
    port.close();
  });
}
