/**
 * The auth events of a state event as they are kept beside it: numbers of the room's state events, each a varint
 * (seven bits a byte, the lowest first). Ten events at most, so that it costs a few bytes.
 */
export function formatAuthNids(nids: readonly number[]): Uint8Array {
  const bytes: number[] = []
  for (const nid of nids) {
    let rest = nid
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(128 + (rest % 128))
    bytes.push(rest)
  }
  return Uint8Array.from(bytes)
}

/** The numbers again. */
export function parseAuthNids(bytes: Uint8Array): number[] {
  const nids: number[] = []
  let nid = 0
  let scale = 1
  for (const byte of bytes) {
    nid += (byte % 128) * scale
    scale *= 128
    if (byte >= 128) continue
    nids.push(nid)
    nid = 0
    scale = 1
  }
  return nids
}
