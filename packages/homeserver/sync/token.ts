import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'

/**
 * Where a reader is: a position in the log, which lasts, and one in the volatile stream (typing, presence),
 * which lasts as long as this process.
 */
export interface SyncToken {
  readonly position: number
  readonly volatile: number
  /**
   * To-device messages up to this position came with the token: giving it back acknowledges them. Below
   * `position` when more are waiting; undefined when none came. Set by the stream while a sync is assembled.
   */
  toDevice?: number
  /**
   * Sticky events up to this position came with the tokens up to this one: below `position`, since there were more than
   * one answer holds. Undefined: there were not. Set by the stream while a sync is assembled.
   */
  sticky?: number
}

/** What makes a token of ours; tokens of another log (a restored backup) or another run are told apart by it. */
export interface TokenEpochs {
  /** Of the log: changes when a backup is restored. */
  readonly log: string
  /** Of the process: the volatile counter starts anew with it. */
  readonly boot: string
}

const FORM =
  /^s(\d{1,16})_(\d{1,16})_([A-Za-z0-9]{1,32})_([A-Za-z0-9]{1,32})(?:_(\d{1,16}))?(?:-(\d{1,16}))?$/

export function formatSyncToken(token: SyncToken, epochs: TokenEpochs): string {
  const delivered = token.toDevice === undefined ? '' : `_${token.toDevice}`
  const sticky = token.sticky === undefined ? '' : `-${token.sticky}`
  return `s${token.position}_${token.volatile}_${epochs.boot}_${epochs.log}${delivered}${sticky}`
}

/**
 * Reads a token that a client gives back. Undefined for one of another log: its reader gets a full sync, never
 * silence. Volatile positions of an earlier run count as 0. Throws `M_INVALID_PARAM` for what is no token.
 */
export function parseSyncToken(text: string, epochs: TokenEpochs): SyncToken | undefined {
  const match = FORM.exec(text)
  if (match === null) throw invalidParam('This is no token that /sync has returned')
  if (match[4] !== epochs.log) return undefined
  const position = Number(match[1])
  const token = { position, volatile: match[3] === epochs.boot ? Number(match[2]) : 0 }
  const [delivered, sticky] = [match[5], match[6]].map((part) =>
    part === undefined ? undefined : Number(part),
  )
  if (!Number.isSafeInteger(position) || [delivered, sticky].some((part) => (part ?? 0) > position))
    throw invalidParam('This is no token that /sync has returned')
  return {
    ...token,
    ...(delivered === undefined ? {} : { toDevice: delivered }),
    ...(sticky === undefined ? {} : { sticky }),
  }
}
