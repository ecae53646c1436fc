/**
 * Who takes part in the demo's unattended job: a primary on a directory, two replicas, and a proxy in
 * front of one of them.
 *
 * Owns: how they are started, and started again. Does not own: when (main-job.ts).
 */
import type { NodeStatus } from "../../src/node/api.ts";
import { count } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import type { FaultProxy } from "../../tools/proxy.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";
import { demoDirectory } from "./directory.ts";

export interface CastFlags {
  readonly primary: readonly string[];
  readonly replica: readonly string[];
}

export class Cast {
  primary!: Daemon;
  /** Behind the proxy. */
  a!: Daemon;
  b!: Daemon;
  proxy!: FaultProxy;
  readonly #fleet: Fleet;
  readonly #flags: CastFlags;

  constructor(fleet: Fleet, flags: CastFlags) {
    this.#fleet = fleet;
    this.#flags = { ...flags, primary: [...flags.primary, "--dir", demoDirectory(fleet)] };
  }

  /** The primary first. */
  get nodes(): readonly Daemon[] {
    return [this.primary, this.a, this.b];
  }

  /** The primary, and the proxy in front of it. */
  async start(): Promise<void> {
    this.primary = await this.#fleet.primary(...this.#flags.primary);
    this.proxy = await this.#fleet.proxy(this.primary);
  }

  /** Another process on the same ports and directory. */
  async restartPrimary(): Promise<void> {
    const { port, replPort } = this.primary;
    const ports = ["--port", String(port), "--repl-port", String(replPort)];
    this.primary = await this.#fleet.primary(...this.#flags.primary, ...ports);
  }

  async startA(): Promise<void> {
    this.a = await this.#replica("replica-a", this.proxy.port);
  }

  async startB(): Promise<void> {
    this.b = await this.#replica("replica-b", this.primary.replPort);
  }

  /** A connection of its own to the primary. */
  async connect(): Promise<RespClient> {
    const client = await RespClient.connect(this.primary.port);
    this.#fleet.defer(() => client.close());
    return client;
  }

  /** One of the primary's counters. */
  async counter(name: string): Promise<number> {
    return count((await this.primary.status()).counters, name);
  }

  /** Both ends agree that this replica follows the stream. */
  async streaming(replica: Daemon): Promise<void> {
    await until(
      async () => {
        const { upstream } = await replica.status();
        const link = linkOf(await this.primary.status(), replica);
        return upstream?.state === "streaming" && link?.state === "streaming";
      },
      {
        what: `${replica.name} to stream`,
        describe: async () => [await replica.status(), await this.primary.status()],
      },
    );
  }

  #replica(name: string, port: number): Promise<Daemon> {
    const { replica } = this.#flags;
    return this.#fleet.node(name, ["replica", "--of", `127.0.0.1:${port}`, ...replica]);
  }
}

export function linkOf(
  status: NodeStatus,
  replica: Daemon,
): NodeStatus["links"][number] | undefined {
  return status.links.find((link) => link.clientPort === replica.port);
}
