/**
 * An address as node.json has it.
 *
 * Pure. Owns: its checks. Does not own: addresses that people write (option-values.ts).
 * Tested in: test/unit/node/role-memory.test.ts.
 */
import { LIMITS } from "../limits.ts";
import type { Address } from "../net/address.ts";
import { objectOf, shownJson } from "../wire/json-fields.ts";

/** Every field checked. @throws {Error} naming what is wrong */
export function keptAddressOf(value: unknown, name: string): Address {
  const { host, port } = objectOf(value, name);
  if (typeof host !== "string" || host === "" || Buffer.byteLength(host) > LIMITS.textBytesMax)
    throw new Error(`${name}.host is no text of 1 to ${LIMITS.textBytesMax} bytes`);
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`${name}.port is ${shownJson(port)}, expected 1 to 65535`);
  return { host, port };
}
