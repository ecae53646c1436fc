/** On what a bench ran: for the head of its report. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";

/** Processor, cores, memory, kernel, Node, commit; one line. */
export function machine(): string {
  const cores = cpus();
  const gib = Math.round(totalmem() / 1024 ** 3);
  const kernel = release().split(".").slice(0, 2).join(".");
  return [
    `${cores.length} cores (${cores[0]?.model.trim() ?? "unknown"})`,
    `${gib} GiB`,
    `Linux ${kernel}`,
    `Node ${process.version}`,
    `commit ${commit()}`,
  ].join(", ");
}

function commit(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
