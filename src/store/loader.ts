/** A second store being filled with the chunks of a snapshot, until Store.swap takes it. */
export class StagedStore {
  /** Loads one chunk's payload, in order. Throws StoreError ERR_STORE_CHUNK when malformed. */
  load(_bytes: Buffer, _from: number, _to: number): void {
    throw new Error("not built yet");
  }

  /** All chunks are in. Throws StoreError ERR_STORE_CHUNK when the totals differ. */
  finish(_totals: { readonly records: number }): void {
    throw new Error("not built yet");
  }

  /** Gives the memory back; idempotent. */
  discard(): void {
    throw new Error("not built yet");
  }
}
