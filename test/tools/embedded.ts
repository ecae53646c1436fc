/** Embedded nodes of a test, closed after it, and what an error says of itself. */
import { afterEach } from "vitest";
import {
  HawserError,
  Primary,
  type PrimaryOptions,
  type ReplicaOptions,
  Replica,
} from "../../src/index.ts";

const open: { close: () => unknown }[] = [];

/** Registers the closing of all that keep() was given. Call once in a test file. */
export function closesWhatIsKept(): void {
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
}

export function keep<T extends { close: () => unknown }>(made: T): T {
  open.push(made);
  return made;
}

export async function openPrimary(options: PrimaryOptions = {}): Promise<Primary> {
  return keep(await Primary.open(options));
}

/** A replica that has all that the primary had. */
export async function replicaOf(
  { replPort }: Primary | Replica,
  options: Omit<ReplicaOptions, "of"> = {},
): Promise<Replica> {
  const replica = keep(await Replica.open({ of: `127.0.0.1:${replPort}`, ...options }));
  await replica.synced({ timeoutMs: 20_000 });
  return replica;
}

/** The code of what `run` throws. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HawserError) return (error as HawserError).code;
    throw error;
  }
  return "nothing thrown";
}
