import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import { dialSocket } from './dial.ts'
import type { Dial, DialTarget } from './dial.ts'
import type { IrcEvent } from './events.ts'

/**
 * The nick for attempt 0, 1, 2 …; `undefined` gives up. `nickLength` is the server's limit once known (from an earlier
 * connection). At most 50 are asked for.
 */
export type NickCandidates = (attempt: number, nickLength: number | undefined) => string | undefined

export type SaslSettings =
  | {
      readonly mechanism: 'PLAIN'
      readonly account: string
      readonly password: string
      readonly required: boolean
    }
  | { readonly mechanism: 'EXTERNAL'; readonly account?: string; readonly required: boolean }

/** A token bucket: `burst` lines at once, then `perSecond`. */
export interface FloodLimits {
  readonly burst: number
  readonly perSecond: number
  /** Lines that may wait; more are refused as `unsent`. */
  readonly queueLimit: number
}

/** All in milliseconds. */
export interface Timing {
  readonly dial: number
  readonly registration: number
  /** Silence after which we ask whether the server lives. */
  readonly idle: number
  /** How long it may take to answer. */
  readonly pong: number
  /** After a line was written: how long to wait for its proof before it is `uncertain`. */
  readonly delivery: number
  /** How long `quit` waits for queued lines and the server's goodbye. */
  readonly quit: number
  /** First pause before a reconnection; doubles up to `backoffMax`. */
  readonly backoff: number
  readonly backoffMax: number
  /** Least pause where the reason says "not so soon". */
  readonly later: number
  /** A connection that lived this long resets the pauses. */
  readonly stable: number
  /** How often to try for the first nick again while using another; 0 = never. */
  readonly reclaim: number
}

export interface IrcOptions {
  readonly server: DialTarget & { readonly password?: string | undefined }
  readonly nickCandidates: NickCandidates
  readonly username: string
  readonly realname: string
  readonly sasl?: SaslSettings | undefined
  /** User modes to set on registration, e.g. `+B`. */
  readonly userModes?: string | undefined
  /**
   * False for a connection that only speaks (one per person): it keeps no members and reports neither other people's
   * channel talk nor their comings and goings. Default true.
   */
  readonly observe?: boolean
  /** False: a bare server's lines count as done when written, without a PING behind them. Default true. */
  readonly proveByPing?: boolean
  readonly flood?: Partial<FloodLimits>
  readonly timing?: Partial<Timing>
  /** Members and channels to keep at most; a server that names more is left. */
  readonly limits?: Partial<Limits>
  readonly clock: Clock
  readonly random: Random
  readonly dial?: Dial
  /** Called in the order of the lines. Must not throw; what it throws goes to `onFault`. */
  readonly onEvent: (event: IrcEvent) => void
  /** Told of errors of ours (a bug, never the server's doing): for the log. */
  readonly onFault: (cause: unknown) => void
}

export interface Limits {
  readonly members: number
  readonly channels: number
}

/** `IrcOptions` with every default filled in. */
export interface ResolvedOptions extends IrcOptions {
  readonly observe: boolean
  readonly proveByPing: boolean
  readonly flood: FloodLimits
  readonly timing: Timing
  readonly limits: Limits
  readonly dial: Dial
}

/** What an ordinary network tolerates from an ordinary client: 5 lines at once, then one each 1.5 s. */
const FLOOD: FloodLimits = { burst: 5, perSecond: 0.67, queueLimit: 2000 }

const TIMING: Timing = {
  dial: 20_000,
  registration: 60_000,
  idle: 60_000,
  pong: 30_000,
  delivery: 30_000,
  quit: 5_000,
  backoff: 1_000,
  backoffMax: 300_000,
  later: 60_000,
  stable: 60_000,
  reclaim: 60_000,
}

export function resolveOptions(options: IrcOptions): ResolvedOptions {
  return {
    ...options,
    observe: options.observe ?? true,
    proveByPing: options.proveByPing ?? true,
    flood: { ...FLOOD, ...options.flood },
    timing: { ...TIMING, ...options.timing },
    limits: { members: 100_000, channels: 1_000, ...options.limits },
    dial: options.dial ?? dialSocket,
  }
}
