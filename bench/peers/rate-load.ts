/** A process that SETs at an even rate until it is killed: PORT RATE. */
import { performance } from "node:perf_hooks";
import { Resp } from "../lib/resp.ts";

async function main(port: number, perSecond: number): Promise<void> {
  const client = await Resp.open(port);
  const value = "v".repeat(100);
  const startedMs = performance.now();
  let sent = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) * perSecond) / 1000) - sent;
    if (due <= 0) return;
    let text = "";
    for (let i = 0; i < due; i++) {
      const key = String((sent + i) % 100_000).padStart(12, "0");
      text += `*3\r\n$3\r\nSET\r\n$16\r\nkey:${key}\r\n$100\r\n${value}\r\n`;
    }
    sent += due;
    void client.bulk(Buffer.from(text, "latin1"), due);
  }, 1);
}

void main(Number(process.argv[2]), Number(process.argv[3]));
