import type { IncomingMessage } from 'node:http'
import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import { createSingleFlight, type SingleFlight } from '@causeway/store/cache/single-flight.ts'
import { confirmAccessToken, findTokenOwner, type TokenOwner } from '@causeway/store/tables/tokens.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Homeserver } from '../homeserver.ts'
import type { FindSession, TokenUse } from '../http/authenticate.ts'
import { guestsForbidden } from '../http/account-standing.ts'
import type { Session } from '../http/endpoint.ts'
import { createLastSeen, SEEN_EVERY_MS, type LastSeen } from './last-seen.ts'

/** Looks access tokens up; knows the ones in use without asking the database. */
export interface Sessions extends AsyncDisposable {
  /** As `FindSession`. A hit in memory answers at once and costs well under 2 µs. */
  find(token: string, use: TokenUse, request?: IncomingMessage): ReturnType<FindSession>
  /** A token was used from `ip`, as the request of a login knows it. */
  saw(userId: UserId, deviceId: DeviceId, ip: string): void
  /**
   * The account, or one device of it, changed or ended: call it after the commit and before the answer. What
   * was read before is asked for again.
   */
  forget(userId: UserId, deviceId?: DeviceId): void
  /** Writes down what is known of last uses. */
  flush(): Promise<void>
}

export interface SessionOptions {
  /** Knows the tokens of application services; asked before the table is. */
  readonly findAppserviceSession?: (
    token: string,
    use: TokenUse,
  ) => Promise<Session | MatrixError | undefined> | Session | MatrixError | undefined
  /** Told of every user whose account is forgotten. */
  readonly onForget?: (userId: UserId) => void
  /** Whether guests are let in; default: none. */
  readonly hasGuests?: boolean
  /** The address of whoever sent a request. */
  readonly ipOf?: (request: IncomingMessage) => string
}

/** What is kept of a token. Keyed by the token itself: hashing it would cost more than the rest of the look-up. */
interface Held {
  readonly session: Session
  /** Milliseconds; 0: never. */
  readonly expiresTs: number
  /** When a last use was noted, by the monotonic clock. */
  seenAt: number
}

type Deps = Pick<Homeserver, 'db' | 'clock' | 'budget' | 'logger'>

/** Tokens of ours are far shorter; nobody makes us hash a megabyte. */
const MAX_TOKEN_LENGTH = 512

/** The refusal of a token whose client may come back: with a refresh token, or by logging in on the same device. */
export function softLogout(): MatrixError {
  return new MatrixError(
    'M_UNKNOWN_TOKEN',
    'This access token has expired; refresh it, or log in again on the same device',
    { extra: { soft_logout: true } },
  )
}

class TokenSessions implements Sessions {
  readonly #deps: Deps
  readonly #options: SessionOptions
  readonly #held: Cache<string, Held>
  readonly #loads: SingleFlight<string, Session | MatrixError | undefined> = createSingleFlight()
  readonly #lastSeen: LastSeen
  /** Grows whenever something is forgotten: what was read before is not kept. */
  #generation = 0

  constructor(deps: Deps, options: SessionOptions) {
    this.#deps = deps
    this.#options = options
    this.#held = deps.budget.cache({ name: 'sessions', share: 0.02, weigh: () => 700 })
    this.#lastSeen = createLastSeen(deps)
  }

  find(token: string, use: TokenUse, request?: IncomingMessage): ReturnType<FindSession> {
    const held = this.#held.get(token)
    if (held === undefined) return this.#load(token, use, request)
    const { clock } = this.#deps
    if (held.expiresTs !== 0 && held.expiresTs <= clock.now()) {
      this.#held.delete(token)
      return softLogout()
    }
    const now = clock.monotonic()
    if (now - held.seenAt >= SEEN_EVERY_MS) {
      held.seenAt = now
      this.#note(held.session, request)
    }
    return held.session
  }

  saw(userId: UserId, deviceId: DeviceId, ip: string): void {
    this.#lastSeen.note(userId, deviceId, ip)
  }

  forget(userId: UserId, deviceId?: DeviceId): void {
    this.#generation++
    this.#options.onForget?.(userId)
    this.#held.deleteWhere(
      (_token, { session }) =>
        session.userId === userId && (deviceId === undefined || session.deviceId === deviceId),
    )
  }

  flush(): Promise<void> {
    return this.#lastSeen.flush()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lastSeen[Symbol.asyncDispose]()
  }

  async #load(
    token: string,
    use: TokenUse,
    request: IncomingMessage | undefined,
  ): Promise<Session | MatrixError | undefined> {
    if (token.length > MAX_TOKEN_LENGTH) return undefined
    const appservice = await this.#options.findAppserviceSession?.(token, use)
    if (appservice !== undefined) return appservice
    // A read that began before something was forgotten is not shared with those who came after.
    return this.#loads.run(`${this.#generation} ${token}`, () => this.#read(token, request))
  }

  async #read(
    token: string,
    request: IncomingMessage | undefined,
  ): Promise<Session | MatrixError | undefined> {
    const generation = this.#generation
    const owner = await findTokenOwner(this.#deps.db, sha256(token))
    if (owner === undefined) return undefined
    const { clock, db } = this.#deps
    if (owner.expiresTs !== 0 && owner.expiresTs <= clock.now()) return softLogout()
    if (owner.unconfirmed !== '') {
      await db.commit({ entries: [], steps: confirmAccessToken(owner.nid, owner.unconfirmed) })
    }
    if (owner.isGuest && this.#options.hasGuests !== true) return guestsForbidden()
    const session = sessionOf(owner)
    if (generation === this.#generation) {
      this.#held.set(token, { session, expiresTs: owner.expiresTs, seenAt: clock.monotonic() })
    }
    this.#note(session, request)
    return session
  }

  #note({ userId, deviceId }: Session, request: IncomingMessage | undefined): void {
    if (deviceId === undefined) return
    const ip = request === undefined ? undefined : this.#options.ipOf?.(request)
    this.#lastSeen.note(userId, deviceId, ip)
  }
}

function sessionOf(owner: TokenOwner): Session {
  return {
    userId: owner.userId as UserId,
    deviceId: owner.deviceId as DeviceId,
    isAdmin: owner.isAdmin,
    isGuest: owner.isGuest,
    appserviceId: undefined,
    tokenNid: owner.nid,
    isShadowBanned: owner.isShadowBanned,
    standing: owner.isLocked ? 'locked' : owner.isSuspended ? 'suspended' : undefined,
  }
}

/** One a process. */
export function createSessions(deps: Deps, options: SessionOptions = {}): Sessions {
  return new TokenSessions(deps, options)
}
