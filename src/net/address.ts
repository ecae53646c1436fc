/**
 * Where a port is, and the one text for it: in messages, logs, INFO and status.
 *
 * Pure. Owns: how an address is written. Does not own: which texts a user may give (node/option-values.ts).
 */

/** A host by name or number, without brackets, and a TCP port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** As they are written: "localhost" is not "127.0.0.1". Nowhere is the same as nowhere. */
export function isSameAddress(a: Address | null, b: Address | null): boolean {
  return a?.host === b?.host && a?.port === b?.port;
}

/** "host:port"; a host with colons (IPv6) is in brackets. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host in what formatAddress() gave, without brackets. */
export function hostOf(text: string): string {
  const host = text.slice(0, Math.max(0, text.lastIndexOf(":")));
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
