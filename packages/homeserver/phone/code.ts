import { timingSafeEqual } from 'node:crypto'
import type { Random } from '@causeway/store/clock/clock.ts'
import { sha256 } from '../crypto/sha256.ts'

const CODES = 1_000_000
/** The greatest multiple of them that fits into 32 bits: what is above would make some codes likelier. */
const FAIR = Math.floor(2 ** 32 / CODES) * CODES

/** Six digits, all equally likely. */
export function createCode(random: Pick<Random, 'bytes'>): string {
  for (;;) {
    const bytes = random.bytes(4)
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
    if (number < FAIR) return String(number % CODES).padStart(6, '0')
  }
}

/** Whether somebody typed the code of this hash, in a time that does not tell how much of it was right. */
export function isCode(typed: string, hash: string): boolean {
  const [given, wanted] = [Buffer.from(sha256(typed.replaceAll(/[\s-]/g, ''))), Buffer.from(hash)]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
