/** A small RESP client for benches: pipelined commands, replies counted or returned. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export type Reply = string | number | null | readonly Reply[];

export class Resp {
  private readonly socket: Socket;
  private buffer = "";
  private readonly waiting: ((reply: Reply) => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.onData(bytes.toString("latin1")));
    socket.on("error", () => undefined);
  }

  static async open(port: number, tries = 200): Promise<Resp> {
    for (let i = 0; ; i++) {
      try {
        return await new Promise<Resp>((resolve, reject) => {
          const socket = connect(port, "127.0.0.1", () => resolve(new Resp(socket)));
          socket.once("error", reject);
        });
      } catch (error) {
        if (i >= tries) throw error;
        await sleep(25);
      }
    }
  }

  call(...args: readonly (string | number)[]): Promise<Reply> {
    this.socket.write(encode(args));
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Writes bytes of `replies` commands; resolves when the last is answered. */
  async bulk(bytes: Buffer, replies: number): Promise<void> {
    let last: Promise<Reply> = Promise.resolve(null);
    for (let i = 0; i < replies; i++) last = new Promise((resolve) => this.waiting.push(resolve));
    this.socket.write(bytes);
    await last;
  }

  /** @param sections of INFO; without any all that it shows by itself */
  async info(...sections: string[]): Promise<Map<string, string>> {
    const text = String(await this.call("INFO", ...sections));
    return new Map(
      text
        .split("\r\n")
        .filter((line) => line.includes(":"))
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
    );
  }

  close(): void {
    this.socket.destroy();
  }

  private onData(text: string): void {
    this.buffer = this.buffer === "" ? text : this.buffer + text;
    let at = 0;
    for (;;) {
      const parsed = parse(this.buffer, at);
      if (parsed === null) break;
      at = parsed.end;
      this.waiting.shift()?.(parsed.reply);
    }
    if (at > 0) this.buffer = this.buffer.slice(at);
  }
}

function encode(args: readonly (string | number)[]): string {
  let text = `*${args.length}\r\n`;
  for (const arg of args) text += `$${String(arg).length}\r\n${arg}\r\n`;
  return text;
}

function parse(text: string, at: number): { reply: Reply; end: number } | null {
  const line = text.indexOf("\r\n", at);
  if (line < 0) return null;
  const head = text.slice(at + 1, line);
  const after = line + 2;
  switch (text[at]) {
    case ":":
      return { reply: Number(head), end: after };
    case "$": {
      const length = Number(head);
      if (length < 0) return { reply: null, end: after };
      if (text.length < after + length + 2) return null;
      return { reply: text.slice(after, after + length), end: after + length + 2 };
    }
    case "*": {
      const items: Reply[] = [];
      let end = after;
      for (let i = 0; i < Number(head); i++) {
        const item = parse(text, end);
        if (item === null) return null;
        items.push(item.reply);
        end = item.end;
      }
      return { reply: items, end };
    }
    default:
      return { reply: head, end: after };
  }
}
