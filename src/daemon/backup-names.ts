/**
 * Names of the files that `hawser backup DIR` makes.
 *
 *   hawser-20300101T020000Z-123456.checkpoint                       whole
 *   hawser-20300101T020000Z-123456.checkpoint.PID-BEGAN-BOOT-HOST.tmp   begun, by that process
 *
 * One that is begun says whose it is as the lock of a data directory does (node/disk/lock-holder.ts): what
 * belongs to nobody any more is removed by the next backup to the same directory, on the same machine, and
 * never the file of one that runs, or of anybody else.
 *
 * Pure. Owns: names. Does not own: files (backup.ts).
 */
import { UNFINISHED } from "../log/disk/small-files.ts";
import { isLeft, type LockHolder } from "../node/disk/lock-holder.ts";

const BEGUN = /^hawser-\d{8}T\d{6}Z-\d+\.checkpoint\.(\d{1,10})-(\d*)-([0-9a-f]*)-([\w.-]+)\.tmp$/;

/** Of a boot's id, so many digits are in a name. */
const BOOT_DIGITS = 8;

/** `nowMs` is when it is begun, `offset` where its snapshot is. */
export function backupName(nowMs: number, offset: number): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  return `hawser-${time}-${offset}.checkpoint`;
}

/** What `name` is called before it is whole, without the ending of what is not finished. */
export function begunName(name: string, by: LockHolder): string {
  const { pid, began, bootId, host } = inName(by);
  return `${name}.${pid}-${began}-${bootId}-${host}`;
}

/** Those of `names` that backups have left which run no more. `beganOf` as for a lock. */
export function leftBehind(
  names: readonly string[],
  self: LockHolder,
  beganOf: (pid: number) => string | null,
): readonly string[] {
  return names.filter((name) => {
    const found = BEGUN.exec(name);
    if (found === null || !name.endsWith(UNFINISHED)) return false;
    const [, pid = "", began = "", bootId = "", host = ""] = found;
    return isLeft({ pid: Number(pid), began, bootId, host }, inName(self), beganOf);
  });
}

/** As much of it as a name holds. */
function inName({ pid, began, bootId, host }: LockHolder): LockHolder {
  const digits = bootId.replaceAll(/[^0-9a-f]/g, "").slice(0, BOOT_DIGITS);
  return { pid, began, bootId: digits, host: host.replaceAll(/[^\w.-]/g, "_") || "_" };
}
