import { argon2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import type { HomeserverConfig } from '../config.ts'
import { createFairQueue, QueueFull } from './fair-queue.ts'

/** How much work a password check is. */
export interface PasswordCost {
  /** KiB. */
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

/** Hashes and checks passwords with Argon2id (RFC 9106), off the main thread, a few at a time. */
export interface Passwords {
  /**
   * A new hash in PHC form. `who` names a line of the fair queue: the user or address that is waiting.
   * Throws `M_LIMIT_EXCEEDED` when too many wait.
   */
  hash(password: string, who: string): Promise<string>
  /**
   * Whether the password is the one of `stored`. Without a stored hash (nobody of that name, no password) it
   * takes as long and answers false. `outdated`: the hash was made with another cost and should be replaced.
   */
  check(
    password: string,
    stored: string,
    who: string,
  ): Promise<{ readonly ok: boolean; readonly outdated: boolean }>
}

const derive = promisify(argon2)
const SALT_BYTES = 16
const TAG_BYTES = 32
const PHC = /^\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/
/** libuv has four threads for files, names and this; one is left for the others. */
const AT_ONCE = 3
const MAX_WAITING = 400
/** When the queue is full, whoever comes is asked to try again this much later. */
const RETRY_MS = 2_000

interface Parsed extends PasswordCost {
  readonly salt: Buffer
  readonly tag: Buffer
}

function parsePhc(text: string): Parsed | undefined {
  const match = PHC.exec(text)
  if (match === null) return undefined
  const [, memory, passes, parallelism, salt = '', tag = ''] = match
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
}

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replaceAll('=', '')

function formatPhc({ memory, passes, parallelism }: PasswordCost, salt: Uint8Array, tag: Uint8Array): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

function compute(password: string, salt: Uint8Array, tagLength: number, cost: PasswordCost): Promise<Buffer> {
  // Clients differ in how they compose characters: é is one code point or two.
  const message = password.normalize('NFC')
  return derive('argon2id', { message, nonce: salt, tagLength, ...cost })
}

/** The cost as the configuration states it. */
export function passwordCostOf({
  password_hash: hash,
}: Pick<HomeserverConfig, 'password_hash'>): PasswordCost {
  const { passes, parallelism } = hash
  // Argon2 needs at least 8 KiB a lane.
  return { memory: Math.max(Math.floor(hash.memory / 1024), 8 * parallelism), passes, parallelism }
}

function sameCost(a: PasswordCost, b: PasswordCost): boolean {
  return a.memory === b.memory && a.passes === b.passes && a.parallelism === b.parallelism
}

export function createPasswords(cost: PasswordCost, random: Pick<Random, 'bytes'>): Passwords {
  const queue = createFairQueue(AT_ONCE, MAX_WAITING)
  const nobody: Parsed = { ...cost, salt: Buffer.alloc(SALT_BYTES), tag: Buffer.alloc(TAG_BYTES) }
  const inTurn = async <T>(who: string, task: () => Promise<T>): Promise<T> => {
    try {
      return await queue.run(who, task)
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many people are logging in; try again in a moment', {
        extra: { retry_after_ms: RETRY_MS },
      })
    }
  }
  return {
    async hash(password, who) {
      const salt = random.bytes(SALT_BYTES)
      return formatPhc(cost, salt, await inTurn(who, () => compute(password, salt, TAG_BYTES, cost)))
    },
    async check(password, stored, who) {
      const parsed = parsePhc(stored)
      const { salt, tag, ...its } = parsed ?? nobody
      const computed = await inTurn(who, () => compute(password, salt, tag.length, its))
      const ok = timingSafeEqual(computed, tag) && parsed !== undefined
      return { ok, outdated: ok && !sameCost(its, cost) }
    },
  }
}
