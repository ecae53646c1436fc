/**
 * A small file system, for a disk that is really full: a tmpfs in a mount namespace of its own, which
 * others reach through /proc.
 *
 *   unshare --mount   sh: mount -t tmpfs, then reads its standard input until that ends
 *        |                         ^ held by this process: with its end the namespace and the mount go
 *        +-- /proc/PID/root/...    the path that a node has for its --dir
 *
 * Without the right to mount it does the same as root of a user namespace. Where neither is allowed the
 * test fails, and says so: nothing else shows what a full disk does.
 *
 * Owns: the mount, room that is taken. Does not own: nodes.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fleet } from "../../tools/processes.ts";

const WAYS = [["--mount"], ["--map-root-user", "--mount"]];
const SCRIPT = 'mount -t tmpfs -o "size=$1" tmpfs "$0" && echo mounted && exec cat';
const FILLER = "filler";

export class SmallDisk {
  /** Of its root. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Of so many bytes; gone when the fleet is. @throws Error when this machine does not let us mount */
  static async mount(fleet: Fleet, bytes: number): Promise<SmallDisk> {
    const at = mkdtempSync(join(tmpdir(), "hawser-disk-"));
    fleet.defer(() => rmdirSync(at));
    const said: string[] = [];
    for (const way of WAYS) {
      const args = [...way, "sh", "-c", SCRIPT, at, String(bytes)];
      const holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "pipe"] });
      const text = await firstWords(holder);
      if (text === "mounted") {
        fleet.defer(() => end(holder));
        return new SmallDisk(`/proc/${holder.pid!}/root${at}`);
      }
      said.push(`unshare ${way.join(" ")}: ${text}`);
    }
    throw new Error(`no small file system can be mounted here: ${said.join("; ")}`);
  }

  /** Somebody else's file takes so much. */
  occupy(bytes: number): void {
    writeFileSync(join(this.path, FILLER), Buffer.alloc(bytes, 7));
  }

  /** It takes all that is left as well. */
  occupyRest(): void {
    const { bavail, bsize } = statfsSync(this.path);
    appendFileSync(join(this.path, FILLER), Buffer.alloc(bavail * bsize, 7));
  }

  /** That file goes. */
  makeRoom(): void {
    rmSync(join(this.path, FILLER));
  }
}

/** What it says first, on whichever output. */
async function firstWords(child: ChildProcess): Promise<string> {
  const words = new Promise<string>((resolve) => {
    const heard = (text: Buffer): void => resolve(text.toString().trim());
    child.stdout!.once("data", heard);
    child.stderr!.once("data", heard);
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code) => resolve(`it ended with ${code ?? "a signal"}`));
  });
  return words;
}

async function end(holder: ChildProcess): Promise<void> {
  const ended = once(holder, "exit");
  holder.stdin!.end();
  await ended;
}
