/**
 * A node of a room's state tree: an array-mapped trie over key numbers, 32 ways a level. A leaf (level 0) holds
 * values for 32 neighbouring keys, an inner node the numbers of its children; only what is present has a slot.
 * Nodes never change once made: a changed tree has new nodes on the changed paths and shares the others.
 */
export interface StateNode {
  /** 0 for a leaf. The level of a root is the height of its tree. */
  readonly level: number
  /** Bit i is set when slot i is present. */
  readonly bitmap: number
  /** The present slots, in order: values in a leaf, node numbers above. */
  readonly slots: readonly number[]
}

/** Bits of the key number that one level decides. */
export const LEVEL_BITS = 5
/** Seven levels cover 2³⁵ keys: more than a room can have. */
export const MAX_LEVEL = 6
/** The number of no node: the empty state. */
export const EMPTY_ROOT = 0
/** Values lie within ± this, so that the difference of two fits a safe integer with its sign bit. */
export const MAX_VALUE = 2 ** 51

function countBits(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x55555555)
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333)
  return (((count + (count >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}

/** Which of the 32 slots of a node at `level` the key falls into. */
export function slotIndex(keyNid: number, level: number): number {
  return Math.floor(keyNid / 2 ** (LEVEL_BITS * level)) % 32
}

/** The level of the lowest tree that has room for `keyNid`. */
export function levelFor(keyNid: number): number {
  let level = 0
  while (keyNid >= 2 ** (LEVEL_BITS * (level + 1))) level++
  return level
}

/** What is in slot `index` (0 to 31): undefined when nothing is. */
export function slotAt(node: StateNode, index: number): number | undefined {
  const bit = 1 << index
  if ((node.bitmap & bit) === 0) return undefined
  return node.slots[countBits(node.bitmap & (bit - 1))]
}

/** Calls `visit` for each present slot, in order. */
export function forEachSlot(node: StateNode, visit: (index: number, slot: number) => void): void {
  let at = 0
  for (let bits = node.bitmap; bits !== 0; bits &= bits - 1)
    visit(31 - Math.clz32(bits & -bits), node.slots[at++]!)
}

/** A node from 32 places, absent ones undefined; undefined when all are. */
export function nodeFromPlaces(
  level: number,
  places: readonly (number | undefined)[],
): StateNode | undefined {
  let bitmap = 0
  const slots: number[] = []
  for (let index = 0; index < 32; index++) {
    const slot = places[index]
    if (slot === undefined) continue
    bitmap |= 1 << index
    slots.push(slot)
  }
  return slots.length === 0 ? undefined : { level, bitmap, slots }
}

const NO_PLACES = Array.from<number | undefined>({ length: 32 })

/** The other way round: 32 places. */
export function placesOf(node: StateNode | undefined): (number | undefined)[] {
  const places = NO_PLACES.slice()
  if (node !== undefined) forEachSlot(node, (index, slot) => void (places[index] = slot))
  return places
}

/** Estimated bytes of a node in memory. */
export function weighNode(node: StateNode): number {
  return 104 + 8 * node.slots.length
}

/** Writes `value` at `at` and returns where it ends; 8 bytes hold 56 bits, more than a safe integer. */
function writeVarint(out: Uint8Array, at: number, value: number): number {
  let end = at
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) out[end++] = (rest % 128) + 128
  out[end++] = rest
  return end
}

/** Room for any node: nothing is kept in it from one call to the next. */
const scratch = new Uint8Array(5 + 32 * 8)

/**
 * The stored form: level, bitmap (4 bytes, little-endian), then each slot as a varint of its zigzag difference
 * from the slot before, since neighbours were mostly made together.
 */
export function encodeNode(node: StateNode): Uint8Array {
  scratch[0] = node.level
  for (let byte = 0; byte < 4; byte++) scratch[1 + byte] = node.bitmap >>> (8 * byte)
  let end = 5
  let before = 0
  for (const slot of node.slots) {
    const difference = slot - before
    end = writeVarint(scratch, end, difference >= 0 ? difference * 2 : -difference * 2 - 1)
    before = slot
  }
  return scratch.slice(0, end)
}

/** Reads what `encodeNode` wrote; throws on anything else, for then the database is damaged. */
export function decodeNode(bytes: Uint8Array): StateNode {
  const bitmap = bytes[1]! | (bytes[2]! << 8) | (bytes[3]! << 16) | (bytes[4]! << 24)
  const slots: number[] = []
  let at = 5
  let before = 0
  while (at < bytes.length) {
    let coded = 0
    let scale = 1
    let byte: number
    do {
      byte = bytes[at++] ?? Number.NaN
      coded += (byte & 127) * scale
      scale *= 128
    } while (byte >= 128)
    if (Number.isNaN(byte)) throw new Error('A state node ends within a number')
    before += coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2
    slots.push(before)
  }
  if (bytes.length < 6 || bytes[0]! > MAX_LEVEL || slots.length !== countBits(bitmap)) {
    throw new Error('A state node has another number of slots than it declares')
  }
  return { level: bytes[0]!, bitmap, slots }
}
