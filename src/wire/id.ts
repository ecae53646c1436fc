/**
 * Identities: 16 random bytes, written as 32 lower-case hex digits.
 *
 * Owns: minting and checking. Does not own: what is identified.
 */
import { randomBytes } from "node:crypto";
import type { Id } from "./messages.ts";

/** Bytes of an id on the wire. */
export const ID_BYTES = 16;

const ID = /^[0-9a-f]{32}$/;

/** A new id that nobody else has. */
export function randomId(): Id {
  return randomBytes(ID_BYTES).toString("hex");
}

/** Whether a string from outside is an id. */
export function isId(text: string): boolean {
  return ID.test(text);
}
