/** SETs through a client port as fast as they go, and what they cost the process that takes them. */
import { cpuSeconds } from "../lib/process.ts";
import { Resp } from "../lib/resp.ts";
import type { Node } from "../resync/scenario.ts";

/** Bytes of one write to the socket, about; at least one command. */
const GROUP_BYTES = 128 * 1024;
const IN_FLIGHT = 4;

export interface Load {
  readonly sets: number;
  readonly valueBytes: number;
  /** Keys of 16 bytes that are overwritten in turn. */
  readonly keys: number;
}

/** Sends the load; returns CPU seconds of the node's process. */
export async function write(node: Node, load: Load): Promise<number> {
  const client = await Resp.open(node.port);
  const before = cpuSeconds(node.pid);
  const perGroup = Math.max(1, Math.floor(GROUP_BYTES / (load.valueBytes + 60)));
  const value = "v".repeat(load.valueBytes);
  const flying: Promise<void>[] = [];
  for (let at = 0; at < load.sets; at += perGroup) {
    const size = Math.min(perGroup, load.sets - at);
    flying.push(client.bulk(group(at, size, load.keys, value), size));
    if (flying.length >= IN_FLIGHT) await flying.shift();
  }
  await Promise.all(flying);
  const used = cpuSeconds(node.pid) - before;
  client.close();
  return used;
}

function group(at: number, size: number, keys: number, value: string): Buffer {
  let text = "";
  for (let i = at; i < at + size; i++) {
    const key = `key:${String(i % keys).padStart(12, "0")}`;
    text += `*3\r\n$3\r\nSET\r\n$16\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
  }
  return Buffer.from(text, "latin1");
}

/** 16, 1 KiB, 64 KiB: as a size is written on an axis. */
export function sizeLabel(bytes: number): string {
  if (bytes >= 1 << 30) return `${bytes / (1 << 30)} GiB`;
  if (bytes >= 1 << 20) return `${bytes / (1 << 20)} MiB`;
  return bytes >= 1 << 10 ? `${bytes / (1 << 10)} KiB` : `${bytes} B`;
}
