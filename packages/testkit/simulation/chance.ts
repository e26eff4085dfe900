import type { Random } from '@causeway/store/clock/clock.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Chance that follows from a seed: the same seed, the same sequence. */
export interface Chance extends Random {
  /** An integer in [0, below). */
  below(below: number): number
  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number
  /** True with this probability. */
  happens(probability: number): boolean
  pick<T>(list: readonly T[]): T
  /** The same elements in another order. */
  shuffle<T>(list: readonly T[]): T[]
  /** A sequence of its own, so that what is drawn from it moves nothing else. */
  fork(label: string): Chance
}

function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** The generator sfc32 (Chris Doty-Humphrey), 128 bits of state, run in. */
function sfc32(words: readonly [number, number, number]): () => number {
  let [a, b, c] = words
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 0
  }
  for (let i = 0; i < 15; i++) next()
  return next
}

export function createChance(seed: string): Chance {
  const next = sfc32([hash32(seed), hash32(`${seed}/b`), hash32(`c/${seed}`)])
  const below = (limit: number): number => Math.floor((next() / 2 ** 32) * limit)
  const shuffle = <T>(list: readonly T[]): T[] => {
    const out = [...list]
    for (let i = out.length - 1; i > 0; i--) {
      const j = below(i + 1)
      const kept = out[i]!
      out[i] = out[j]!
      out[j] = kept
    }
    return out
  }
  return {
    bytes: (size) => Uint8Array.from({ length: size }, () => next() & 0xff),
    token: (length) => Array.from({ length }, () => ALPHABET[below(62)]).join(''),
    fraction: () => next() / 2 ** 32,
    below,
    between: (low, high) => low + below(high - low + 1),
    happens: (probability) => next() / 2 ** 32 < probability,
    pick: (list) => list[below(list.length)]!,
    shuffle,
    fork: (label) => createChance(`${seed}/${label}`),
  }
}
